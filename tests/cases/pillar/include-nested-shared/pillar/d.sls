include:
  - b
c: d
