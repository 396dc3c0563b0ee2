base:
  '*':
    a: b
