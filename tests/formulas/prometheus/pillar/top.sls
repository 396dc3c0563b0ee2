base:
  '*': [prometheus]
