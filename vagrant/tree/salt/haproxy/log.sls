# What HAProxy says goes to rsyslog on this host: requests and events in a file each, rotated.
include:
  - packages

/etc/rsyslog.d/30-haproxy.conf:
  file.managed:
    - source: salt://haproxy/files/rsyslog.conf
    - check_cmd: rsyslogd -N1 -f
    - require:
      - pkg: packages

/etc/logrotate.d/haproxy-stack:
  file.managed:
    - source: salt://haproxy/files/logrotate.conf
    - require:
      - pkg: packages

rsyslog:
  service.running:
    - enable: True
    - watch:
      - file: /etc/rsyslog.d/30-haproxy.conf
