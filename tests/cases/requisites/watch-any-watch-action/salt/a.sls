c:
  test.succeed_with_changes: []
any:
  test.succeed_without_changes:
    - watch_any:
      - test: c
all:
  test.succeed_without_changes:
    - watch:
      - test: c
odd:
  test.configurable_test_state:
    - changes: False
    - result: True
    - watch:
      - test: c
