prometheus:
  lookup: {kernel: linux}
  pkg:
    hold: [prometheus]
    component:
      prometheus:
        config:
          global: {evaluation_interval: 30s}
          scrape_configs:
            - job_name: node
              static_configs: [{targets: [{% for n in range(3) %}'web{{ n }}:9100'{{ ', ' if not loop.last }}{% endfor %}]}]
  files: {by: [roles, deployment], default: common}
