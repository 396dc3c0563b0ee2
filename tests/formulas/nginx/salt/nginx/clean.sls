{%- from 'nginx/map.jinja' import nginx with context %}
include:
  - nginx
extend:
  nginx-service:
    service:
      - order: last
nginx-clean:
  file.absent:
    - names:
      - /etc/nginx/old
      - /var/cache/nginx-old:
        - onlyif: test -d /var/cache
    - order: first
    - require_in:
      - sls: nginx.package
