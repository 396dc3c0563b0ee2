{%- from 'db/map.jinja' import db, dialect, keeper with context %}
{%- from 'inventory.jinja' import by_role with context %}
{%- set nfs = pillar['nfs'] %}
{%- set backup = pillar['mysql']['backup'] %}
{%- set server = by_role['nfs'] | first %}
include:
  - packages

# The mount is on every database, so that any of them can take over. The server is converged at the same time: the state
# is tried again until it answers.
{{ nfs.export }}:
  mount.mounted:
    - device: {{ server['ip'] }}:{{ nfs.export }}
{%- if nfs.client == 'nfs4' %}
    - fstype: nfs4
    - opts: rw,hard,noatime,_netdev
{%- else %}
    # The lab's stand-in: sftp without ssh, no safer than NFS, so guarded by the firewall as NFS is.
    - fstype: fuse.sshfs
    - opts: rw,directport=2050,reconnect,_netdev
{%- endif %}
    - mkmnt: True
    - persist: True
    - retry:
        attempts: 60
        interval: 2
    - require:
      - pkg: packages

{%- for name in ['backup-database', 'restore-check'] %}

/usr/local/sbin/{{ name }}:
  file.managed:
    - source: salt://db/files/{{ name }}.jinja
    - template: jinja
    - mode: '0755'
    - check_cmd: bash -n
    - context:
        directory: {{ nfs.export }}
        schemas: {{ backup.schemas | json }}
        keep: {{ backup.keep }}
        client: {{ db.client }}
        dump: {{ db.dump }}
        dialect: {{ dialect }}
{%- endfor %}

{%- if grains['id'] == keeper['name'] %}

nightly-backup:
  cron.present:
    - name: /usr/local/sbin/backup-database
    - identifier: backup-database
    - user: root
    - hour: {{ backup.hour }}
    - minute: {{ backup.minute }}
    - require:
      - pkg: packages
      - file: /usr/local/sbin/backup-database
      - mount: {{ nfs.export }}
{%- endif %}
