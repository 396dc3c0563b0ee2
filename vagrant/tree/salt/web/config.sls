{%- from 'web/map.jinja' import nginx with context %}
{%- from 'inventory.jinja' import inventory, by_role with context %}
include:
  - packages

{%- if grains.get('selinux', {}).get('enabled') %}
# SELinux keeps nginx from speaking to other hosts, unless told otherwise.
nginx-selinux:
  cmd.run:
    - name: setsebool -P httpd_can_network_connect on
    - unless: getsebool httpd_can_network_connect | grep -q 'on$'
    - undo: setsebool -P httpd_can_network_connect off
    - require:
      - pkg: packages
    - require_in:
      - service: nginx
{%- endif %}

# All of nginx's configuration is this one file, so that it can be tested as a whole before it goes live.
/etc/nginx/nginx.conf:
  file.managed:
    - source: salt://web/files/nginx.conf.jinja
    - template: jinja
    - check_cmd: nginx -t -q -c
    - context:
        user: {{ nginx.user }}
        vip: {{ inventory['vip'] }}
        balancers: {{ by_role['haproxy'] | map(attribute='ip') | list | json }}
        cache: {{ pillar['web']['cache'] | json }}
    - require:
      - pkg: packages

nginx:
  service.running:
    - enable: True
    - reload: True
    - watch:
      - file: /etc/nginx/nginx.conf
