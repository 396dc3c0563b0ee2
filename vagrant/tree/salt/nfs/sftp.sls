{%- set nfs = pillar['nfs'] %}
include:
  - .export

# What stands in for the NFS mount in the lab: sftp without ssh, a process per connection, as the user who owns the export.
{%- for unit in ['backups-sftp.socket', 'backups-sftp@.service'] %}
/etc/systemd/system/{{ unit }}:
  file.managed:
    - source: salt://nfs/files/{{ unit }}
    - mode: '0644'
    - require:
      - user: backups
    - require_in:
      - service: backups-sftp.socket
{%- endfor %}

backups-sftp.socket:
  service.running:
    - enable: True
    - require:
      - file: {{ nfs.export }}
    - watch:
      - file: /etc/systemd/system/backups-sftp.socket
