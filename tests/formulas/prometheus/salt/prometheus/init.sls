{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ '/map.jinja' import prometheus as p with context %}
include:
  - {{ '.archive' if p.pkg.archive else '.package' }}
  - .config
  - .service
