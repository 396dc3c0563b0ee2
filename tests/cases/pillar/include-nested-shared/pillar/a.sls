include:
  - b
k: a
