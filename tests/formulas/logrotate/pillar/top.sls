base:
  '*': [logrotate]
