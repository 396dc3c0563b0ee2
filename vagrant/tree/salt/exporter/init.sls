# node_exporter: what Prometheus wants to know of a host.
{%- from 'exporter/map.jinja' import exporter with context %}
include:
  - packages

{{ exporter.options }}:
  file.managed:
    - contents: |
        # Options of node_exporter: the state of units as well, so that a failed one is seen.
        {{ exporter.variable }}="--collector.systemd"
    - require:
      - pkg: packages

{{ exporter.service }}:
  service.running:
    - enable: True
    - watch:
      - file: {{ exporter.options }}
