base:
  '*': [nodeapp]
