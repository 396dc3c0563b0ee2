/etc/default/nginx:
  file.managed:
    - source:
      - salt://web/nosuch
      - salt://web/nginx.conf
    - require:
      - file: nginx
