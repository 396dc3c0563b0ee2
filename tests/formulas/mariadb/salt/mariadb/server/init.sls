{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ '/map.jinja' import mapdata with context %}
{%- set m = mapdata.mariadb %}
mariadb-server-package-installed:
  pkg.installed:
    - name: {{ m.package }}
    - reload_modules: true
mariadb-server-map:
  test.show_notification:
    - text: |
        {{ mapdata | yaml(false) | indent(8) }}
mariadb-server-service-running:
  service.running:
    - name: {{ m.service }}
    - enable: true
    - watch:
      - sls: {{ tplroot }}.server.config
    - require: [{pkg: mariadb-server-package-installed}]
