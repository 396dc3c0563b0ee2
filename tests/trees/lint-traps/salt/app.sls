app:
  pkg.installed:
    - version: 1.10

/etc/app.conf:
  file.managed:
    - source: salt://app.conf
    - template: jinja
    - mode: 0899
    - user: yes
    - context:
      port: 80

/etc/app.on:
  file.managed:
    - contents: on
    - mode: 0644

/etc/app.off:
  file.directory:
    - makedir: true
    - requires:
      - file: /etc/app.on
