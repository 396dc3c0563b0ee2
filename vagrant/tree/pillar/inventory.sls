# The one place with names, addresses and roles. Firewall, balancers, hosts files, scrape targets and replication read
# them here. The roster says the same to salt-rs (how to reach a host, which roles select its states).
inventory:
  network: 192.168.56.0/24
  # The balancers' floating address: web servers and clients use this one.
  vip: 192.168.56.100
  hosts:
    mgmt:
      ip: 192.168.56.10
      roles: [mgmt]
    # The first of the balancers holds the floating address while it can.
    haproxy:
      ip: 192.168.56.11
      roles: [haproxy]
    web1:
      ip: 192.168.56.12
      roles: [web]
    web2:
      ip: 192.168.56.13
      roles: [web]
    was1:
      ip: 192.168.56.14
      roles: [was]
    was2:
      ip: 192.168.56.15
      roles: [was]
    # The first of the databases is the primary, the others replicate from it.
    db:
      ip: 192.168.56.16
      roles: [db]
    haproxy2:
      ip: 192.168.56.17
      roles: [haproxy]
    db2:
      ip: 192.168.56.18
      roles: [db]
    monitoring:
      ip: 192.168.56.19
      roles: [monitoring]
    nfs:
      ip: 192.168.56.20
      roles: [nfs]
