#!jinja|yaml
{%- set hosts = ['web1', 'web2'] %}
keepalived:
  instances:
    VI 1: {hosts: {{ hosts | json }}, ips: [192.0.2.100/24, '2001:db8::1/64']}
    VI 2: {hosts: {{ hosts | reverse | list | json }}, ips: [192.0.2.101/32], interface: bond0}
    VI 3: {hosts: [other], ips: []}
    VI 4: {hosts: [web1], ips: [192.0.2.104]}
  sysctl: {vm.swappiness: 10}
