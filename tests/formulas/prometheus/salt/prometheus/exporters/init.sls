include:
  - .node
  - ..service
