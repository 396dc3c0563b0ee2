{%- from 'mariadb/map.jinja' import mapdata as data without context %}
{%- set connection = {'connection_user': 'root', 'connection_charset': 'utf8'} %}
{%- macro login() %}
    {%- for key, value in connection.items() %}
    - {{ key }}: {{ value }}
    {%- endfor %}
{%- endmacro %}
mariadb-python:
  pkg.installed: [{name: {{ data.mariadb.python }}}]
{% for database in data.mariadb.databases %}
{%- set name = database.name if database is mapping else database %}
mariadb-database-{{ name }}:
  mysql_database.present:
    - name: {{ name }}
    {{- login() }}
    - require: [{sls: mariadb.server}, {pkg: mariadb-python}]
{% endfor %}
{%- for name, user in data.mariadb.users.items() %}
{%- for host in ([user.host] if 'host' in user else user.get('hosts', ['localhost'])) %}
{%- set id = ['mariadb', 'user', name, host] | join('-') %}
{{ id }}:
  mysql_user.present:
    - name: {{ name }}
    - host: '{{ host }}'
  {%- if 'password' in user and user.password is not none %}
    - password: '{{ user['password'] }}'
  {%- else %}
    - allow_passwordless: True
    - unix_socket: True
  {%- endif %}
    {{- login() }}
  {%- for db in user.get('databases', ()) %}
{{ id }}-{{ loop.index0 }}:
  mysql_grants.present:
    - grant: {{ db.grants | default(['usage']) | join(',') }}
    - database: '{{ db.database }}.{{ db.table | d('*') }}'
    - grant_option: {{ db['grant_option'] | default(False) }}
    - user: {{ name }}
    - host: '{{ host }}'
    {{- login() }}
    - require:
      - mysql_user: {{ id }}
  {%- endfor %}
{%- endfor %}
{%- endfor %}
