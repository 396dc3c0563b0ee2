{%- from 'haproxy/map.jinja' import haproxy, version with context %}
{%- from 'haproxy/lines.jinja' import section, options %}
{%- set settings = salt['pillar.get']('haproxy', {}) %}
include:
  - haproxy.install
  - haproxy.service

haproxy.config:
  file.managed:
    - name: {{ haproxy.config }}
    - contents: |
        # {{ version.text }} ({{ version.major }}) for {{ grains.os }}
        {%- filter indent(8) %}
        {%- call section('global') %}{{ options(settings.global) }}{% endcall %}
        {%- for name, backend in settings.backends.items() %}
        {%- call section('backend', name) %}
{{- options(backend, skip=('servers',)) }}
{%- for server in backend.servers | sort(attribute='weight', reverse=true) %}
server {{ server.name }} {{ server.address | default('127.0.0.1') }}:{{ server.port or 80 }}{{ ' check' if loop.first else '' }} weight {{ server.weight }} {{- ' id %s' | format(loop.index) }}
{%- else %}
server none 0.0.0.0:1 disabled
{%- endfor %}
        {%- endcall %}
        {%- endfor %}
        {%- endfilter %}
    - user: {{ haproxy.user }}
    - mode: 0644
    - check_cmd: haproxy -c -f
    - watch_in:
      - service: haproxy.service
    - require:
      - pkg: haproxy.install

haproxy.dump:
  file.serialize:
    - name: /etc/haproxy/dump.json
    - dataset: {{ settings | yaml }}
    - formatter: json
{%- if haproxy.get('selinux', False) %}

haproxy.selinux:
  selinux.boolean:
    - name: haproxy_connect_any
    - value: True
    - persist: True
    - prereq_in: [service: haproxy.service]
{%- endif %}

extend:
  haproxy.install:
    pkg:
      - version: {{ version.text }}.*
      - require:
        - test: haproxy.first
  haproxy.service:
    service:
      - watch: [file: haproxy.dump]

haproxy.first:
  test.nop: [order: first]
