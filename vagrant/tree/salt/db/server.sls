{%- from 'db/map.jinja' import db, dialect, primary with context %}
{%- from 'inventory.jinja' import own with context %}
include:
  - packages

# The last of the files the server reads, so it wins. A setting the server does not know never goes live.
{{ db.settings }}/zz-stack.cnf:
  file.managed:
    - source: salt://db/files/stack.cnf.jinja
    - template: jinja
    - mode: '0644'
    - check_cmd: sh -c '! {{ db.server }} --defaults-file="$0" --user=mysql --verbose --help 2>&1 > /dev/null | grep -F "[ERROR]"'
    - context:
        dialect: {{ dialect }}
        # Different on every server: the last part of its address.
        server_id: {{ own['ip'].split('.') | last }}
        replica: {{ grains['id'] != primary['name'] }}
        buffer_pool: {{ pillar['mysql']['buffer_pool'] }}
    - require:
      - pkg: packages

database:
  service.running:
    - name: {{ db.service }}
    - enable: True
    - require:
      - pkg: packages
    - watch:
      - file: {{ db.settings }}/zz-stack.cnf
