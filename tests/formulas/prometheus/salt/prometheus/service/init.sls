{%- from 'prometheus/map.jinja' import prometheus as p with context %}
{%- from 'prometheus/macros.jinja' import arguments %}
prometheus-service-var:
  file.directory: {{ [{'name': p.dir.var}, {'makedirs': true}, {'mode': 755}] | yaml }}
{%- for name in p.wanted.component %}
{%- set c = p.pkg.component[name] %}
prometheus-service-{{ name }}:
  {%- if p.pkg.archive %}
  file.managed:
    - name: {{ p.dir.service }}/{{ name }}.service
    - contents: |
        [Service]
        ExecStart={{ c.path }}/{{ name }} {{ arguments(c.service.args) }}
  cmd.wait:
    - name: systemctl daemon-reload
    - watch: [{file: prometheus-service-{{ name }}}]
  {%- endif %}
  service.running:
    - name: {{ name }}
    - enable: True
    {%- if grains.kernel|lower == 'linux' %}
    - onlyif: systemctl list-unit-files | grep {{ name }} >/dev/null 2>&1
    {%- endif %}
    - require: [{file: prometheus-service-var}]
{%- endfor %}
