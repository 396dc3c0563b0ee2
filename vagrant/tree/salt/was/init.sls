# The application tier: Node.js, and the sample application as a release directory, a link and a unit.
include:
  - packages
  - .npm
  - .app
