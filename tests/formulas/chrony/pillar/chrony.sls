{% set zone = 'Europe/Berlin' if grains['os_family'] == 'Debian' else 'local' %}
chrony:
  lookup: {package: {{ 'chrony' | upper | lower }}}
  zone: {{ zone }}
  servers: {pool.ntp.example: 'iburst', b.example: "prefer", a.example: iburst minpoll 4}
  secret: |
    1 SHA256 HEX:00
  makestep: [0.1, 3]
