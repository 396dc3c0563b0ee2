dev:
  '*':
    - a
    - d
