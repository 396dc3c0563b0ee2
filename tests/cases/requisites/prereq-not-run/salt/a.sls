bad:
  test.fail_without_changes: []
same:
  test.succeed_without_changes: []
first:
  test.succeed_with_changes:
    - prereq:
      - test: last
second:
  test.succeed_with_changes:
    - prereq:
      - test: quiet
between:
  test.nop: []
last:
  test.succeed_with_changes:
    - require:
      - test: bad
quiet:
  test.succeed_with_changes:
    - onchanges:
      - test: same
