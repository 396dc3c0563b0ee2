include:
  - .c
b: 1
