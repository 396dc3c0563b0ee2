base:
  '*':
    - nginx
  'G@roles:db':
    - match: compound
    - nginx.clean
