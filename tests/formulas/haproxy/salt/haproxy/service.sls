{% from 'haproxy/map.jinja' import haproxy with context %}
haproxy.service:
{% if salt['pillar.get']('haproxy:enable', True) %}
  service.running:
    - name: {{ haproxy.service.name }}
    - enable: {{ haproxy.service.enable }}
    - reload: True
    - require:
      - pkg: haproxy.install
{% else %}
  service.dead: {{ [{'name': haproxy.service.name}, {'enable': false}] | json }}
{% endif %}
{% if grains['os_family'] == 'Debian' %}
  file.replace:
    - name: /etc/default/haproxy
    - pattern: ENABLED=0$
    - repl: ENABLED=1
    - watch_in: [{service: haproxy.service}]
{% endif %}
