base:
  '*':
    - mariadb
