soft:
  test.fail_without_changes:
    - failhard: False
hard:
  test.fail_without_changes: []
never:
  test.nop: []
