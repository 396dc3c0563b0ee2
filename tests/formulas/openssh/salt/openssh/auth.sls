{%- macro name(identifier, key) -%}
{{ key['name'] if 'name' in key else identifier }}
{%- endmacro -%}
{%- macro auth(identifier, key) -%}
    - user: {{ key.get('user', identifier) }}
      {%- if key.get('present') and 'source' in key %}
    - source: {{ key['source'] }}
      {%- else %}
        {%- for part in ('enc', 'comment', 'options') if part in key %}
    - {{ part }}: {{ key[part] }}
        {%- endfor %}
      {%- endif %}
{%- endmacro -%}
include:
  - openssh
{%- from "openssh/map.jinja" import openssh with context -%}
{%- for identifier, keys in pillar.get('openssh', {}).get('auth', {}).items() -%}
  {%- for key in keys -%}
    {% if 'present' in key and key['present'] %}
{{ name(identifier, key) }}:
  ssh_auth.present:
    {{ auth(identifier, key) }}
    {%- if 'sshd_config' in pillar and 'AuthorizedKeysFile' in pillar['sshd_config'] %}
    - config: '{{ pillar['sshd_config']['AuthorizedKeysFile'] }}'
    {% endif %}
    - require:
      - service: {{ openssh.service }}
    {%- else %}
{{ name(identifier, key) }}:
  ssh_auth.absent:
    {{ auth(identifier, key) }}
    {%- endif -%}
  {%- endfor -%}
{%- endfor %}

openssh-known-hosts:
  file.managed:
    - name: /etc/ssh/ssh_known_hosts
    - context:
        known_hosts: {{ openssh | traverse("known:hosts", {}) | json }}
        none_there: {{ openssh | traverse("known:none", 'x') | yaml_squote }}
        aliases: {{ [grains.id, grains['fqdn']] + grains.ipv4 | difference(['127.0.0.1']) | sort(reverse=True) }}
    - contents: ''
