include:
  - .config
  - .confg

nginx:
  pkg.instaled: []
  service.running:
    - enabled: true
    - requires:
      - pkg: nginx

/etc/nginx.conf:
  file.managed:
    - source: salt://web/ngnix.conf
    - require:
      - pkg: ngnix
    - watch_in:
      - service: nginx

/etc/nginx.d:
  file.symlink: []

extend:
  ngnix:
    service:
      - reload: true
