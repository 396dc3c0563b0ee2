base:
  '*':
    - sub
