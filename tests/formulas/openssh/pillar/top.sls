base:
  '*': [openssh]
