/etc/app.conf:
  file.managed:
    - source: salt://app.conf
    - mode: '0644'

app:
  service.running:
    - enable: true
    - watch:
      - file: /etc/app.conf
