# Which host gets which states: by the roles the roster gives it.
base:
  '*':
    - packages
    - base
    - exporter
  'roles:haproxy':
    - match: grain
    - haproxy
  'roles:web':
    - match: grain
    - web
  'roles:was':
    - match: grain
    - was
  'roles:db':
    - match: grain
    - db
  'roles:nfs':
    - match: grain
    - nfs
  'roles:monitoring':
    - match: grain
    - prometheus
    - grafana
