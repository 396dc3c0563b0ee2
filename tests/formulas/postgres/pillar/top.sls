base:
  '*': [postgres]
