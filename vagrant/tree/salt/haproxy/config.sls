{%- from 'haproxy/map.jinja' import haproxy with context %}
{%- from 'inventory.jinja' import by_role with context %}
include:
  - packages
  - .log

{%- if grains.get('selinux', {}).get('enabled') %}
# SELinux lets HAProxy speak to a list of ports only, unless told otherwise.
haproxy-selinux:
  cmd.run:
    - name: setsebool -P haproxy_connect_any on
    - unless: getsebool haproxy_connect_any | grep -q 'on$'
    - undo: setsebool -P haproxy_connect_any off
    - require:
      - pkg: packages
    - require_in:
      - service: haproxy
{%- endif %}

# A configuration that HAProxy does not understand never goes live.
/etc/haproxy/haproxy.cfg:
  file.managed:
    - source: salt://haproxy/files/haproxy.cfg.jinja
    - template: jinja
    - mode: '0640'
    - group: haproxy
    - check_cmd: {{ haproxy.haproxy }} -c -f
    - context:
        socket: {{ haproxy.socket }}
        web: {{ by_role.get('web', []) | json }}
        app: {{ by_role.get('was', []) | json }}
    - require:
      - pkg: packages

# What keepalived asks, and whoever wants to know whether this balancer does its work.
/usr/local/sbin/check-haproxy:
  file.managed:
    - source: salt://haproxy/files/check-haproxy
    - mode: '0755'

# A change is taken over by a new process while the old one ends its connections: nothing is cut off.
haproxy:
  service.running:
    - enable: True
    - reload: True
    - watch:
      - file: /etc/haproxy/haproxy.cfg
    - require:
      - service: rsyslog
      - file: /usr/local/sbin/check-haproxy

# A configuration can be understood and still be wrong. Where HAProxy could not take a change over (a reload ends before
# that is known), or turns its web servers away although they answer, this fails, and with `--failhard` a roll stops here.
haproxy-serves:
  cmd.run:
    - name: /usr/local/sbin/check-haproxy serves
    # It only looks; there is nothing to take back.
    - undo: 'true'
    - onchanges:
      - file: /etc/haproxy/haproxy.cfg
    - require:
      - service: haproxy
