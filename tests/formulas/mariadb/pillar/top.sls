base:
  '*': [mariadb]
