nginx:
  pkg.installed: []
  service.running:
    - require:
      - file: site

site:
  file.managed:
    - name: /etc/nginx/conf.d/site.conf
    - contents: x

/etc/haproxy/haproxy.cfg:
  file.managed:
    - contents: x

haproxy:
  service.running:
    - watch:
      - file: /etc/haproxy/*

redis-server:
  pkg.installed: []
