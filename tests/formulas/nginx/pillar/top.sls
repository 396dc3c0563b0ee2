base:
  '*': [nginx]
