haproxy:
  lookup: {service: {reload: true}}
  require: ['test: haproxy.first']
  global: {maxconn: 4096, daemon: true, nbthread: 2, stats: [socket /run/a mode 660, timeout 30s], user: ~, quiet: no}
  backends:
    web:
      balance: roundrobin
      option: [httpchk GET /, forwardfor]
      servers:
        - {name: a, weight: 10, port: 8080, address: 192.0.2.1}
        - {name: b, weight: 20, port: 0, address: 192.0.2.2}
    empty: {mode: tcp, servers: []}
