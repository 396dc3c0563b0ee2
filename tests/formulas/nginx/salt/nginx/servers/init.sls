{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ '/map.jinja' import nginx, block with context %}
{%- from tplroot ~ '/sources.jinja' import sources with context %}
{%- set states = [] %}
{%- set slim = nginx.copy() %}
{%- do slim.pop('snippets') %}
{%- do slim.pop('servers') %}

{% macro path(server, on) -%}
  {%- set it = nginx.servers.get(server) or {} -%}
  {%- if on == True -%}
    {{ it.get('enabled_dir', nginx.lookup.enabled) }}/{{ server }}
  {%- elif on == False and not nginx.lookup.links -%}
    {{ it.get('dir', nginx.lookup.available) }}/{{ it.get('disabled_name', server ~ '.disabled') }}
  {%- else -%}
    {{ it.get('dir', nginx.lookup.available) }}/{{ server }}
  {%- endif -%}
{%- endmacro %}

{% macro status(server, on) -%}
  {%- set other = {True: False, False: True}.get(on) -%}
  {%- if nginx.lookup.links %}
    {%- if on %}
  file.symlink:
    - name: {{ path(server, True) }}
    - target: {{ path(server, other) }}
    - makedirs: True
    {%- else %}
  file.absent:
    - name: {{ path(server, True) }}
    {%- endif %}
  {%- else %}
  file.rename:
    - name: {{ path(server, on) }}
    - source: {{ path(server, other) }}
  {%- endif %}
{%- endmacro %}

nginx-servers-dirs:
  file.directory:
    - names: {{ [nginx.lookup.enabled, nginx.lookup.available] | unique | list | json }}
    - makedirs: True
    - require:
      - pkg: nginx-package

{% for server, settings in nginx.servers.items() %}
{%- set id = 'nginx-server-' ~ loop.index0 %}
{%- if settings is none or settings.enabled is not defined %}
  {%- continue %}
{%- endif %}
{{ id }}:
{%- if settings.get('deleted') %}
  file.absent:
    - name: {{ path(server, none) }}
{%- else %}
  file.managed:
    - name: {{ path(server, settings.enabled if nginx.lookup.links else True) }}
    - source:
{%- if 'source' in settings %}
      - {{ settings.source }}
{%- endif %}
      {{- sources([server, 'server.conf'], 'nginx-server', deep=True) }}
    - template: jinja
    - makedirs: True
    - context:
        config: {{ settings.config | json(sort_keys=False) }}
        nginx: {{ slim | json }}
    {%- if settings.overwrite is defined and settings.overwrite == False %}
    - unless:
      - test -e {{ path(server, none) }}
    {%- endif %}
    - watch_in: [{service: nginx-service}]
{%- endif %}
{% do states.append(id) %}
{%- if path(server, True) != path(server, False) %}

{{ id }}-status:
{{ status(server, settings.enabled) }}
    - require:
      - file: {{ id }}
    - onchanges_in:
      - test: nginx-servers-changed
{%- do states.append(id ~ '-status') %}
{%- endif %}
{% endfor %}

nginx-servers-changed:
  test.succeed_with_changes:
    - listen_in:
      - service: nginx-service
    {%- if states %}
    - require:
      {%- for id in states %}
      - file: {{ id }}
      {%- endfor %}
    {%- endif %}
