base:
  '*': [haproxy]
