base:
  '*':
    - openssh.config
    - openssh.auth
    - openssh._mapdata
