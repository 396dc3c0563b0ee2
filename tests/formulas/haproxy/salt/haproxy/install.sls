{% from 'haproxy/map.jinja' import haproxy with context %}
haproxy.install:
  pkg.installed:
    - name: {{ haproxy.package }}
{% if salt['pillar.get']('haproxy:require') %}
    - require: {% for item in salt['pillar.get']('haproxy:require') %}
      - {{ item }}{% endfor %}
{% endif %}
haproxy.user:
  user:
    - present
    - name: {{ haproxy.user }}
    - system: true
    - require_in: [{file: haproxy.config}, {pkg: haproxy.install}]
