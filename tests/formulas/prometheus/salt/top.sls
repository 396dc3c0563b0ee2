base:
  '*':
    - prometheus
    - prometheus.exporters
