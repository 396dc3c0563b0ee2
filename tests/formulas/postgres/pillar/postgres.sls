postgres:
  upstream: {{ grains['os_family'] == 'RedHat' }}
  pkgs_extra: [postgresql-contrib]
  linux: {altpriority: 30}
  port: 5433
  conf: |
    listen_addresses = '*'  # everywhere
    work_mem = 4MB
  acls:
    - ['local', 'db1', 'app']
    - ['host', 'db2', 'remote', '192.0.2.0/24']
  {%- if grains['init'] == 'unknown' %}
  bake: True
  {%- endif %}
  {%- if salt['nosuch.time']|default(none) is callable %}
  backup: ".never"
  {%- endif %}
  users:
    app: {ensure: present, password: 'x y', createdb: False, inherit: True}
    gone: {ensure: absent}
  tablespaces: {fast: {directory: /srv/fast, owner: app}}
  databases:
    db1: {owner: app, template: template0, lc_ctype: en_US.UTF-8}
    db2: {owner: app, tablespace: fast}
