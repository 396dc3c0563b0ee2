{%- from salt.file.dirname(tpldir) ~ "/map.jinja" import postgres with context -%}
{%- set includes = [] %}
{%- if postgres.bake %}
  {%- do includes.append('postgres.server.image') %}
{%- endif %}
{%- if postgres.upstream|default(false) == true -%}
  {%- do includes.append('postgres.upstream') %}
{%- endif %}
{%- if includes -%}
include:
  {{ includes|yaml(false)|indent(2) }}
{%- endif %}
{%- set pkgs = [postgres.pkg] + postgres.pkgs_extra %}
# The server.
postgresql-server:
  pkg.installed:
    - pkgs: {{ pkgs }}
{%- if postgres.upstream|default(false) == true %}
    - refresh: True
    - require:
      - pkgrepo: postgresql-repo
{%- endif %}
  {%- if postgres.fromrepo %}
    - fromrepo: {{ postgres.fromrepo }}
  {%- endif %}
{%- if 'bin_dir' in postgres and postgres.linux.altpriority %}
  {%- for bin in postgres.bins %}
    {%- set path = salt['file.join'](postgres.bin_dir, bin) %}
postgresql-{{ bin }}-altinstall:
  alternatives.install:
    - name: {{ bin }}
    - link: {{ salt['file.join']('/usr/bin', bin) }}
    - path: {{ path }}
    - priority: {{ postgres.linux.altpriority }}
    - onlyif: test -f {{ path }}
    - require:
      - pkg: postgresql-server
    - require_in:
      - cmd: postgresql-cluster-prepared
  {%- endfor %}
{%- endif %}

postgresql-cluster-prepared:
  cmd.run:
    - name: {{ postgres.prepare.command }}
    - cwd: /
    - runas: {{ postgres.prepare.user }}
    - env: {{ postgres.prepare.env }}
    - unless:
      - {{ postgres.prepare.test }}
    - require:
      - pkg: postgresql-server
{%- if postgres.conf %}
postgresql-conf:
  file.blockreplace:
    - name: {{ postgres.dir }}/postgresql.conf
    - marker_start: "# Managed: do not edit"
    - marker_end: "# Managed: end --"
    - content: |
        {{ postgres.conf|indent(8) }}
    - append_if_not_found: True
    {#- Nothing, '' and 0 are all no backup. #}
    - backup: {{ postgres.backup|default(false, true) }}
    - watch_in:
       - service: postgresql-running
{%- endif %}
{%- for file, key in (('pg_hba', 'acls'), ('pg_ident', 'mappings')) %}
{%- set path = salt['file.join'](postgres.dir, file ~ '.conf') %}
postgresql-{{ file }}:
  file.managed:
    - name: {{ path }}
    - mode: 600
{%- if postgres[key] is defined and postgres[key] %}
    - source: {{ postgres[file ~ '.conf'] | default('salt://postgres/templates/' ~ file ~ '.conf.j2') }}
    - template: jinja
    - defaults:
        {{ key }}: {{ postgres[key]|yaml() }}
  {%- if postgres.backup %}
    - onlyif: test -f {{ path }} || touch {{ path }}
    - check_cmd: >-
        salt-call --local file.copy
        {{ path }} {{ path ~ postgres.backup }} remove_existing=true
  {%- endif %}
{%- else %}
    - replace: False
{%- endif %}
    - require:
      - cmd: postgresql-cluster-prepared
{%- endfor %}
{%- if not postgres.bake %}
postgresql-running:
  service.running:
    - name: {{ postgres.service }}
    - enable: True
   {% if grains.os not in ('MacOS',) %}
    - reload: True
   {% endif %}
    - watch:
      - file: postgresql-pg_hba
      - file: postgresql-pg_ident
{%- endif %}
{%- if postgres.port|default(false) %}
postgresql-port:
  file.replace:
    - name: {{ postgres.dir }}/postgresql.conf
    - pattern: ^#*\s*(port)\s*=\s*\d{4,5}(.*)$
    - repl: \1 = {{ postgres.port }}\2
    - flags: 8  # ['MULTILINE']
    - watch_in:
       - service: postgresql-port
  service.running:
    - name: {{ postgres.service }}
{%- endif %}
