base:
  '*':
    - web
    - tools
