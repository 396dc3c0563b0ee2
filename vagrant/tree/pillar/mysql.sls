# The database tier: the first of the inventory's databases is the primary, the others replicate from it.
{%- import_yaml 'secrets.yaml' as secrets %}
{%- set password = secrets['mysql'] %}
mysql:
  # mariadb | mysql
  dialect: mariadb
  schema: sample
  # Addresses accounts may come from; the firewall lets in less.
  from: 192.168.56.%
  # Memory for data. A machine of its own gives most of what it has.
  buffer_pool: 128M
  passwords:
    sample_rw: {{ password['sample_rw'] | yaml_dquote }}
    sample_ro: {{ password['sample_ro'] | yaml_dquote }}
    repl: {{ password['repl'] | yaml_dquote }}
    backup: {{ password['backup'] | yaml_dquote }}
    monitor: {{ password['monitor'] | yaml_dquote }}
  backup:
    schemas: [sample]
    # So many dumps of each schema are kept.
    keep: 14
    hour: 2
    minute: 17
