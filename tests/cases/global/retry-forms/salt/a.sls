never:
  test.fail_without_changes:
    - retry: False
wrong:
  test.succeed_without_changes:
    - retry: 3
text:
  test.succeed_without_changes:
    - retry:
        attempts: '7'
        interval: 1
secret:
  test.fail_without_changes:
    - no_log: True
    - retry:
        attempts: 3
        interval: 0
unwanted:
  test.configurable_test_state:
    - changes: True
    - result: True
    - retry:
        attempts: 2
        interval: 0
        until: False
parallel:
  test.fail_without_changes:
    - parallel: False
    - retry:
        attempts: 2
        interval: 0
