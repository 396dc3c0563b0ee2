base:
  '*': [redis]
