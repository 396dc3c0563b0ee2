# -*- coding: utf-8 -*-
---
{#- What the map says, for tests. #}
{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ '/map.jinja' import openssh with context %}
{%- from tplroot ~ '/map.jinja' import sshd_config with context %}
{%- set map = {'openssh': openssh, 'sshd_config': sshd_config} %}
{%- do salt['log.debug'](map | yaml(False)) %}
{{ tplroot }}-mapdata-dump:
  file.managed:
    - name: /tmp/mapdata.yaml
    - source: salt://{{ tplroot }}/_mapdata/_mapdata.jinja
    - context:
        map: {{ map | yaml }}
    - unless: {{ opts['test'] | lower }}
...
