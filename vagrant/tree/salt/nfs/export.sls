{%- set nfs = pillar['nfs'] %}
include:
  - packages

# Whoever writes, files belong to this user, so that root on a client is nobody special here.
backups:
  group.present:
    - gid: {{ nfs.uid }}
    - system: True
  user.present:
    - uid: {{ nfs.uid }}
    - gid: {{ nfs.uid }}
    - system: True
    - home: {{ nfs.export }}
    - createhome: False
    - shell: /usr/sbin/nologin
    - require:
      - group: backups

{%- if nfs.server == 'ganesha' %}

# Its server cannot export an overlay, which is what the lab's hosts have for a disk: here it is memory. The mount is
# there before the package whose service holds on to it, so going back takes the package first.
export-memory:
  mount.mounted:
    - name: {{ nfs.export }}
    - device: tmpfs
    - fstype: tmpfs
    - opts: size=512m,mode=0750,uid={{ nfs.uid }},gid={{ nfs.uid }}
    - mkmnt: True
    - persist: True
    - require:
      - user: backups
    # Before the package, whose server runs as soon as it is there: going back, the server goes first and lets go of it.
    - require_in:
      - pkg: packages
      - file: {{ nfs.export }}
      - pkg: packages
{%- endif %}

{{ nfs.export }}:
  file.directory:
    - user: backups
    - group: backups
    - mode: '0750'
    - makedirs: True
    - require:
      - user: backups
