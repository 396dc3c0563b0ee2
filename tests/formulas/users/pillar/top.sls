base:
  '*': [users]
