# Who may speak to whom; what is not here is dropped. `from` names roles of the inventory, `admin`, or addresses;
# without it the whole world may.
firewall:
  # Where people and salt-rs come from. Empty: ssh is open to everybody.
  admin:
    - 192.168.56.1      # the machine that runs the lab, or Vagrant
    - 192.168.56.10     # mgmt
    - 10.0.2.2          # `vagrant ssh` with VirtualBox
    - 192.168.121.1     # `vagrant ssh` with libvirt
  rules:
    '*':
      - { port: 22, from: [admin], what: ssh }
      - { port: 9100, from: [monitoring], what: node_exporter }
    haproxy:
      - { port: 80, what: the site }
      - { port: 3000, from: [web], what: the application for the web tier }
      - { port: 8405, from: [monitoring, admin], what: HAProxy metrics }
      - { port: 9000, from: [monitoring, admin], what: HAProxy statistics }
      - { protocol: 112, from: [haproxy], what: VRRP }
    web:
      - { port: 8080, from: [haproxy], what: nginx }
    was:
      - { port: 3000, from: [haproxy], what: the application }
    db:
      - { port: 3306, from: [was, db, mgmt], what: database and replication }
    nfs:
      - { port: 2049, from: [db], what: NFS }
      - { port: 2050, from: [db], what: the same over sftp where the kernel has no NFS }
    monitoring:
      - { port: 9090, from: [admin], what: Prometheus }
      - { port: 9093, from: [admin], what: Alertmanager }
      - { port: 3000, from: [admin], what: Grafana }
