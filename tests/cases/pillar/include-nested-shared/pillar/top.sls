base:
  '*':
    - a
    - d
