base:
  '*': [docker]
