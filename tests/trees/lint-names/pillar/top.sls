base:
  '*': [ports, prots]
