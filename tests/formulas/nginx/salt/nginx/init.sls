{%- from tpldir ~ '/map.jinja' import nginx with context %}
include:
  - .package
  - nginx.config
  - .servers
{%- if nginx.snippets %}
  - nginx.snippets
{%- endif %}

nginx-service:
  service.running:
    - name: {{ nginx.lookup.service }}
    - enable: True
    - reload: {{ nginx.get('reload', True) }}
    - require:
      - sls: nginx.package
