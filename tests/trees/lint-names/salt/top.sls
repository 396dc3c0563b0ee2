base:
  '*':
    - web
    - webb
  'db*':
    - nosuch.*
