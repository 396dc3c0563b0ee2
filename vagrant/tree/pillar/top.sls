# Which host sees which data. Secrets go to the roles that need them and to no one else.
base:
  '*':
    - inventory
    - base
    - firewall
    - monitoring
  'roles:haproxy':
    - match: grain
    - haproxy
  'roles:web':
    - match: grain
    - web
  'roles:was':
    - match: grain
    - app
  'roles:db':
    - match: grain
    - mysql
    - nfs
  'roles:nfs':
    - match: grain
    - nfs
  # What a place needs otherwise than the rest of the world; last, so that it wins.
  'site:lab':
    - match: grain
    - site.lab
