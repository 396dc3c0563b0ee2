changed:
  test.succeed_with_changes: []
first:
  test.succeed_with_changes:
    - prereq:
      - cmd: echo waited
last:
  cmd.wait:
    - name: echo waited
    - watch:
      - test: changed
