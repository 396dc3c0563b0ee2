include:
  - packages
  - .users
  - .sysctl
  - .time
  - .hosts
  - .firewall
