include:
  - .b
k: 1
