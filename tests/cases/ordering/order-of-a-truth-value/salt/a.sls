last:
  test.nop:
    - order: last
minus:
  test.nop:
    - order: -2
yes:
  test.nop:
    - order: True
part:
  test.nop:
    - order: 0.5
word:
  test.nop:
    - order: soon
plain:
  test.nop: []
