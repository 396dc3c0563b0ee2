# The web tier: nginx in front of the application, keeping what the application says may be kept.
include:
  - packages
  - .config
