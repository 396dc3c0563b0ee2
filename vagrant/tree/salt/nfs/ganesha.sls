{%- from 'inventory.jinja' import by_role with context %}
{%- set nfs = pillar['nfs'] %}
include:
  - packages
  - .export

/etc/ganesha/ganesha.conf:
  file.managed:
    - source: salt://nfs/files/ganesha.conf.jinja
    - template: jinja
    - mode: '0644'
    - makedirs: True
    - context:
        export: {{ nfs.export }}
        uid: {{ nfs.uid }}
        clients: {{ by_role['db'] | map(attribute='ip') | list | json }}
    - require:
      - pkg: packages

nfs-ganesha:
  service.running:
    - enable: True
    - require:
      - file: {{ nfs.export }}
    - watch:
      - file: /etc/ganesha/ganesha.conf
