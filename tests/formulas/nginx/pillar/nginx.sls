nginx:
  opts: {refresh: true, version: latest}
  config:
    worker_processes: {{ grains.get('num_cpus') }}
    http: {sendfile: "on", log_format: "main '$remote_addr \"$request\"'"}
  files:
    by: [id, roles, osfinger, some/path]
    names:
      nginx-server: [vhost.conf.jinja]
  servers:
    mysite:
      enabled: true
      config:
        - server:
          - server_name: localhost
          - listen: ['80 default_server', '443 ssl']
          - location ~ .htm: [{try_files: '$uri $uri/ =404'}]
    api: {enabled: false, source: 'salt://sites/api.conf', overwrite: false, config: [{server: [{listen: 8080}]}], disabled_name: api.off}
    gone: {enabled: false, deleted: true}
    nothing: ~
    untouched: {config: []}
  snippets:
    acme:
      - 'location ^~ /.well-known/':
        - proxy_pass: http://localhost:9999
    bots:
      - map $http_user_agent $bad: [{default: 0}, {'~*bot': 1}, {'~(?i)(a|b)': {deep: "yes", n: 1.50}}]
