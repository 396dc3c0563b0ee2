{%- from 'db/map.jinja' import db, dialect, primary with context %}
{%- set mysql = pillar['mysql'] %}
include:
  - .server

{%- if grains['id'] == primary['name'] %}
# Schema and accounts are made on the primary; replicas get them from it.
{{ mysql.schema }}:
  mysql_database.present:
    - character_set: utf8mb4
    - collate: utf8mb4_general_ci
    - require:
      - service: database

notes:
  mysql_query.run:
    - database: {{ mysql.schema }}
    - query: >-
        CREATE TABLE IF NOT EXISTS notes (
        id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
        text VARCHAR(1000) NOT NULL,
        made_at TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3))
    - unless: {{ db.client }} -NBe "SELECT 'there' FROM information_schema.tables WHERE table_schema = '{{ mysql.schema }}' AND table_name = 'notes'" | grep -q there
    - require:
      - mysql_database: {{ mysql.schema }}

{#- A replica begins once it can log in as `backup` and `repl`, so these come last: by then it finds all others. #}
{%- set accounts = {
  'sample_rw': {'grant': 'SELECT, INSERT, UPDATE, DELETE', 'on': mysql.schema ~ '.*'},
  'sample_ro': {'grant': 'SELECT', 'on': mysql.schema ~ '.*'},
  'monitor': {'grant': 'PROCESS, ' ~ db.watch, 'on': '*.*'},
  'repl': {'grant': 'REPLICATION SLAVE', 'on': '*.*'},
  'backup': {'grant': 'SELECT, RELOAD, PROCESS, LOCK TABLES, SHOW VIEW, EVENT, TRIGGER, ' ~ db.watch, 'on': '*.*'},
} %}
{%- for name, rights in accounts.items() %}

{{ name }}:
  mysql_user.present:
    - host: '{{ mysql.from }}'
    - password: {{ mysql.passwords[name] | yaml_dquote }}
    - require:
      - service: database
  mysql_grants.present:
    - user: {{ name }}
    - host: '{{ mysql.from }}'
    - grant: {{ rights.grant }}
    - database: '{{ rights.on }}'
    - require:
      - mysql_user: {{ name }}
      - mysql_database: {{ mysql.schema }}
{%- endfor %}
{%- else %}
# All hosts are converged at once, so the primary may not be there yet: the state is tried again until it is.
replication:
  mysql_replication.replica:
    - source_host: {{ primary['ip'] }}
    - source_user: repl
    - source_password: {{ mysql.passwords['repl'] | yaml_dquote }}
    # A server that never replicated begins with a consistent dump of the primary.
    - seed: True
    - seed_user: backup
    - seed_password: {{ mysql.passwords['backup'] | yaml_dquote }}
    - retry:
        attempts: 60
        interval: 2
    - require:
      - service: database
{%- endif %}
