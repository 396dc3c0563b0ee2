/etc/motd:
  file.managed:
    - source: salt://motd/motd.jinja
    - template: jinja
    - mode: '0644'
    - context:
        greeting: {{ pillar['motd']['greeting'] | yaml_dquote }}
