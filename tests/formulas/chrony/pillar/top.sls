base:
  '*': [chrony]
