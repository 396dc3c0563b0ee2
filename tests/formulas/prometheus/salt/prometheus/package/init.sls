{%- from tpldir.split('/')[0] ~ '/map.jinja' import prometheus as p with context %}
{%- for name in p.wanted.component %}
prometheus-package-{{ name }}:
  pkg.installed:
    - name: {{ 'prometheus-' ~ name | replace('_', '-') if name != 'prometheus' else name }}
    - hold: {{ 'hold' in p.pkg and name in p.pkg.hold }}
{%- endfor %}
