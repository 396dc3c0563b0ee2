base:
  '*': data
