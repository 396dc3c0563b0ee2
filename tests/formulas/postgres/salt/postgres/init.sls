{%- from salt.file.dirname(tpldir ~ '/init.sls') ~ '/map.jinja' import postgres with context %}
include:
{%- if postgres.upstream | default(false) %}
  - postgres.upstream
{%- endif %}
  - postgres.server
{%- if postgres.users or postgres.databases %}
  - postgres.manage
{%- endif %}
{%- if 'bin_dir' in postgres %}
extend:
  postgresql-server:
    pkg:
      - order: 7
{%- endif %}
