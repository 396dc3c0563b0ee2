base:
  '*':
    - a
qa:
  '*':
    - d
