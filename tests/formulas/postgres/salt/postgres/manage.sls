{%- from "postgres/map.jinja" import postgres with context -%}
{%- from "postgres/macros.jinja" import state with context -%}
{%- if salt['nosuch.user_create']|default(none) is not callable %}
# The client first.
include:
  - postgres.server
{%- endif %}
postgres-reload-modules:
  test.nop:
    - reload_modules: True
{%- for key, user in postgres.users|dictsort() %}

{{ state(user.get('name') or key, 'postgres_user', user) }}
    - require:
      - test: postgres-reload-modules
{%- endfor %}
{%- for key, space in postgres.tablespaces|dictsort() %}

{{ state(space.name | default(key), 'postgres_tablespace', space) }}
    - require:
      - test: postgres-reload-modules
  {%- if 'owner' in space %}
      - postgres_user: postgres_user-{{ space.owner }}
  {%- endif %}
{%- endfor %}
{%- for key, db in postgres.databases|dictsort() %}

{{ state(key, 'postgres_database', db) }}
    - require:
      - test: postgres-reload-modules
  {%- if 'owner' in db %}
      - postgres_user: postgres_user-{{ db.owner }}
  {%- endif %}
{%- endfor %}
