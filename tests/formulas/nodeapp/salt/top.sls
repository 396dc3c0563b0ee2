base:
  '*':
    - nodeapp
