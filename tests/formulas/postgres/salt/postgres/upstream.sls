{%- from 'postgres/map.jinja' import postgres with context %}
postgresql-repo:
{%- if grains['os_family'] == 'Debian' %}
  pkgrepo.managed:
    - name: {{ postgres.repo }}
    - file: /etc/apt/sources.list.d/pgdg.list
    - refresh: True
{%- else %}
  pkgrepo.managed: {{ [{'name': 'pgdg'}, {'baseurl': 'https://yum.example/$releasever/$basearch'}, {'gpgcheck': 1}] | yaml }}
{%- endif %}
