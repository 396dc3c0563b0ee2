{%- from 'inventory.jinja' import by_role with context %}
{%- set app = pillar['app'] %}
{%- set home = '/opt/sample-app' %}
{%- set release = home ~ '/releases/' ~ app.release %}
{#- The first database is the primary. Application servers share the replicas among them. #}
{%- set primary = by_role['db'][0] %}
{%- set replicas = by_role['db'][1:] or [primary] %}
{%- set place = by_role['was'] | map(attribute='name') | list %}
{%- set replica = replicas[place.index(grains['id']) % (replicas | length)] %}
include:
  - packages
  - .npm

sample-app-user:
  group.present:
    - name: sample-app
    - system: True
  user.present:
    - name: sample-app
    - system: True
    - gid: sample-app
    - home: {{ home }}
    - createhome: False
    - shell: /usr/sbin/nologin
    - require:
      - group: sample-app-user

# The release: source from this tree, what it depends on by its lock file. A release that is there is not changed by a
# later one; the old one stays, so going back to it is a link and a restart.
{{ release }}:
  file.recurse:
    - source: salt://was/files/app
    - exclude_pat: E@^(test|node_modules)(/|$)
    - user: root
    - group: root
    - dir_mode: '0755'
    - file_mode: '0644'
    - makedirs: True
  npm.bootstrap:
    - production: True
    - registry: {{ app.npm.registry }}
    - env:
      - npm_config_cache: /run/npm
      - npm_config_update_notifier: 'false'
    - require:
      - file: {{ release }}
      - {{ 'file' if app.npm.get('version') else 'pkg' }}: npm

# It holds passwords: root reads it and hands it to the service.
/etc/sample-app/env:
  file.managed:
    - source: salt://was/files/env.jinja
    - template: jinja
    - user: root
    - group: root
    - mode: '0600'
    - makedirs: True
    - dir_mode: '0755'
    - show_changes: False
    - context:
        app: {{ app | json }}
        primary: {{ primary.ip }}
        replica: {{ replica.ip }}

/etc/systemd/system/sample-app.service:
  file.managed:
    - source: salt://was/files/sample-app.service
    - user: root
    - group: root
    - mode: '0644'

# What runs is what this points to.
{{ home }}/current:
  file.symlink:
    - target: {{ release }}
    - require:
      - file: {{ release }}
      - npm: {{ release }}

# A restart is where a server leaves the balancers and comes back: the unit's stop waits until they send nothing and what
# was asked is answered, its start until they know it again. So every restart is gentle, also that of a rollback.
sample-app:
  service.running:
    - enable: True
    - require:
      - user: sample-app-user
      - pkg: packages
    - watch:
      - file: {{ home }}/current
      - file: {{ release }}
      - npm: {{ release }}
      - file: /etc/sample-app/env
      - file: /etc/systemd/system/sample-app.service

# A release that does not come into service fails here, and with `--failhard` the roll stops at this host. On a host that
# never was in service it is enough that the application answers: its database may be on its way.
sample-app-ready:
  cmd.run:
    - name: node {{ home }}/current/control.js ready
    - env:
      - PORT: '{{ app.port }}'
    - timeout: 60
    # It only looks; there is nothing to take back.
    - undo: 'true'
    - onchanges:
      - service: sample-app
