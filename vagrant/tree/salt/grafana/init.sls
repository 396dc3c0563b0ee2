# Grafana, where a package repository for it is named (pillar `grafana`). Elsewhere Prometheus' own pages have to do.
{%- set grafana = pillar.get('grafana', {}) %}
{%- if grafana.get('repository') %}
grafana-repository:
  pkgrepo.managed:
    - humanname: Grafana
{%-   if grains['os_family'] == 'RedHat' %}
    - baseurl: {{ grafana['repository'] }}
    - gpgkey: {{ grafana['key'] }}
    - gpgcheck: 1
{%-   else %}
    - name: deb [signed-by=/etc/apt/keyrings/grafana.asc] {{ grafana['repository'] }} stable main
    - file: /etc/apt/sources.list.d/grafana.list
    - key_url: {{ grafana['key'] }}
    - aptkey: False
{%-   endif %}

grafana:
  pkg.installed:
    - require:
      - pkgrepo: grafana-repository

/etc/grafana/provisioning/datasources/prometheus.yaml:
  file.managed:
    - source: salt://grafana/files/datasource.yaml
    - require:
      - pkg: grafana

grafana-server:
  service.running:
    - enable: True
    - watch:
      - file: /etc/grafana/provisioning/datasources/prometheus.yaml
{%- endif %}
