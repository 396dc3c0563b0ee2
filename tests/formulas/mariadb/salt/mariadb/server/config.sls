{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ '/map.jinja' import mapdata with context %}
{%- for section, values in mapdata['mariadb']['config']['sections'] | dictsort %}
mariadb-server-config-{{ section }}:
  file.managed:
    - name: {{ mapdata.mariadb.config.dir }}/{{ '%02d' | format(loop.index * 10) }}-{{ section }}.cnf
    - contents: {{ ('[' ~ section ~ ']\n' ~ (values | dictsort | map('join', ' = ') | join('\n'))) | yaml_encode }}
    - makedirs: True
    - user: root
    - group: {{ salt['config.get']('mariadb:group', 'root') }}
    - mode: 644
{%- endfor %}
mariadb-ini:
  ini.options_present:
    - name: {{ salt['file.join'](mapdata.mariadb.config.dir, 'salt.ini') }}
    - sections:
        client: {{ {'socket': '/run/mysqld.sock', 'port': 3306} }}
