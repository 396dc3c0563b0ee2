base:
  '*':
    - docker
    - docker.clean
