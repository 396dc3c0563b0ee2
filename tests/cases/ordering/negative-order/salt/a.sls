the-last:
  test.nop:
    - order: last
second-to-last:
  test.nop:
    - order: -2
plain:
  test.nop: []
