base:
  '*': [keepalived]
