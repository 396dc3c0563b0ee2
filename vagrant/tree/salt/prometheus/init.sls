# Monitoring: Prometheus asks every host, its rules raise alerts, Alertmanager passes them on.
include:
  - packages
  - .alertmanager
  - .server
