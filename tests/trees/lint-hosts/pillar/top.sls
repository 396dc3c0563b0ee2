base:
  'web*': [port]
