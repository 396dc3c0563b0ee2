firewall:
  by: {{ 'iptables' if grains.os_family == 'Debian' else 'firewalld' }}
  strict: 'yes'
  services:
    ssh: {ports: [22], zone: internal, from: [192.0.2.0/24, 10.0.0.0/8]}
    dns: {ports: [53, 853], protos: [tcp, udp], zone: external, from: ['2001:db8::/112']}
    web: {ports: [443, 80], zone: external}
    ntp: {ports: [123], protos: [udp], zone: internal, from: [192.0.2.0/24]}
