include:
  - b
exclude:
  - sls: a
  - sls: b
x:
  test.nop: []
