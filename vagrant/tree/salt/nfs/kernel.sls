{%- from 'inventory.jinja' import by_role with context %}
{%- set nfs = pillar['nfs'] %}
include:
  - packages
  - .export

/etc/exports:
  file.managed:
    - source: salt://nfs/files/exports.jinja
    - template: jinja
    - mode: '0644'
    - context:
        export: {{ nfs.export }}
        uid: {{ nfs.uid }}
        clients: {{ by_role['db'] | map(attribute='ip') | list | json }}
    - require:
      - pkg: packages

# A reload is `exportfs -r`: nobody's mount is cut.
nfs-server:
  service.running:
    - enable: True
    - reload: True
    - require:
      - file: {{ nfs.export }}
    - watch:
      - file: /etc/exports
