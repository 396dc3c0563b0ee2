include:
  - .server
  - .server.config
  - mariadb.manage
