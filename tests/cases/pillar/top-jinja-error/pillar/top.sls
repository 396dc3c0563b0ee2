base:
  '*':
    - {{ nosuch }}
