include: [a]
y:
  test.nop:
    - require: [{test: x}]
