# The floating address: the balancer that works and comes first in the inventory holds it.
{%- from 'haproxy/map.jinja' import haproxy with context %}
{%- from 'inventory.jinja' import inventory, own, by_role, interface with context %}
{%- set names = by_role['haproxy'] | map(attribute='name') | list %}
include:
  - packages
  - .config

{%- if grains.get('selinux', {}).get('enabled') %}

# SELinux keeps what keepalived asks by from connecting, unless told otherwise.
keepalived-selinux:
  cmd.run:
    - name: setsebool -P keepalived_connect_any on
    - unless: getsebool keepalived_connect_any | grep -q 'on$'
    - undo: setsebool -P keepalived_connect_any off
    - require:
      - pkg: packages
    - require_in:
      - service: keepalived
{%- endif %}

/etc/keepalived/keepalived.conf:
  file.managed:
    - source: salt://haproxy/files/keepalived.conf.jinja
    - template: jinja
    - mode: '0640'
    - check_cmd: {{ haproxy.keepalived }} -t -f
    - context:
        interface: {{ interface }}
        own: {{ own['ip'] }}
        peers: {{ by_role['haproxy'] | map(attribute='ip') | reject('equalto', own['ip']) | list | json }}
        vip: {{ inventory['vip'] }}/{{ inventory['network'].split('/')[1] }}
        router_id: {{ pillar['haproxy']['router_id'] }}
        # 150, 140, … in the inventory's order; one whose check fails falls below all others.
        priority: {{ 150 - 10 * names.index(grains['id']) }}
    - require:
      - pkg: packages
      - file: /usr/local/sbin/check-haproxy

keepalived:
  service.running:
    - enable: True
    - reload: True
    - watch:
      - file: /etc/keepalived/keepalived.conf
    - require:
      - service: haproxy
