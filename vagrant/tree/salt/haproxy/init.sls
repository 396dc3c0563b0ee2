# The balancers: HAProxy, and keepalived that moves the floating address between them.
include:
  - packages
  - .log
  - .config
  - .vip
