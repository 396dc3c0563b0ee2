{%- from 'openssh/map.jinja' import openssh, sshd_config with context %}
{%- from 'openssh/sources.jinja' import sources with context %}
include: [openssh]
sshd_config:
  file.managed:
    - name: {{ openssh.config }}
    - source: {{ sources(['sshd_config'], 'sshd_config') }}
    - template: jinja
    - context:
        sshd_config: {{ sshd_config | json }}
    - mode: {{ openssh.mode }}
    - check_cmd: {{ openssh.binary }} -t -f
    {%- if openssh.backup %}
    - backup: minion
    {%- endif %}
    - watch_in:
      - service: {{ openssh.service }}
{% for type in ['ecdsa', 'dsa', 'rsa', 'ed25519'] %}
{%- set key = '/etc/ssh/ssh_host_' ~ type ~ '_key' %}
{% if type in openssh['keys'] %}
ssh_generate_host_{{ type }}_key:
  cmd.run:
    {%- set size = salt['pillar.get']('openssh:size:' + type) %}
    - name: ssh-keygen -t {{ type }}{{ ' -b %d' % size if size }} -N '' -f {{ key }}
    - creates: {{ key }}
    - require_in: [{file: sshd_config}]
{% elif salt['pillar.get']('openssh:provide:' ~ type, False) %}
{%- for suffix, mode in (('', 600), ('.pub', 644)) %}
{{ key ~ suffix }}:
  file.managed:
    - contents_pillar: 'openssh:provide:{{ type }}:{{ 'public' if suffix else 'private' }}'
    - mode: {{ mode }}
    - require_in: [{service: {{ openssh.service }}}]
{%- endfor %}
{% else %}
ssh_host_{{ type }}_key:
  file.absent:
    - names: [{{ key }}, {{ key }}.pub]
{% endif %}
{% endfor %}
