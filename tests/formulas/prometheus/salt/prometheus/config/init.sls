{%- from 'prometheus/map.jinja' import prometheus as p with context %}
{%- from 'prometheus/sources.jinja' import sources with context %}
{%- for name in p.wanted.component if p.pkg.component[name].config is defined %}
prometheus-config-{{ name }}:
  file.managed:
    - name: {{ p.dir.etc }}/{{ name }}.yml
    - source: {{ sources([name ~ '.yml.jinja', 'config.yml.jinja'], lookup='prometheus-config') }}
    - template: jinja
    - makedirs: True
    - context:
        config: {{ p.pkg.component[name].config | json }}
    - require:
      - sls: 'prometheus.{{ 'archive' if p.pkg.archive else 'package' }}*'
    - watch_in:
      - service: prometheus-service-{{ name }}
{%- endfor %}
