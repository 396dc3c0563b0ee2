prometheus:
  interval: 5s
  retention: 15d

alertmanager:
  # Where alerts go, in Alertmanager's own words. Empty: they stand on its page only.
  urgent: {}
    # webhook_configs: [{ url: 'https://pager.example.org/…' }]
  informational: {}
    # email_configs: [{ to: ops@example.org, from: alerts@example.org, smarthost: 'mail.example.org:25' }]

# Grafana is installed where its package repository is said; elsewhere Prometheus' own pages have to do.
# grafana:
#   repository: https://apt.grafana.com          # https://rpm.grafana.com on Red Hat's family
#   key: https://apt.grafana.com/gpg.key
