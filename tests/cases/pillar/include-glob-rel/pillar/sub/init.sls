include:
  - .*
k: 1
