# vim: sts=2 ts=2 sw=2 et ai
{%- from 'users/map.jinja' import users as u with context %}
{%- set everyone = pillar.get('users', {}).get('people', {}) %}
{%- set with_sudo = [] %}
{%- for name, user in everyone.items() if user is not none and user.get('sudo') %}
  {%- do with_sudo.append(name) %}
{%- endfor %}
{%- if with_sudo %}
include:
  - users.sudo
{%- endif %}

{% for name, user in everyone.items() if user == None or user.absent is not defined or not user.absent -%}
{%- if user == None -%}
{%- set user = {} -%}
{%- endif -%}
{%- set home = user.get('home', "/home/%s" % name) -%}
{%- set group = user.group.name if 'group' in user and user.group is mapping and 'name' in user.group else name -%}

{% for more in user.get('groups', []) %}
users-{{ name }}-{{ more }}:
  group:
    - name: {{ more }}
    - present
{% endfor %}

users-{{ name }}:
  {%- if user.get('createhome', True) %}
  file.directory:
    - name: {{ home }}
    - user: {{ user.get('homedir_owner', name) }}
    - group: {{ group }}
    - mode: {{ user.get('mode', u.mode) }}
    - makedirs: True
    - require:
      - user: users-{{ name }}
      - group: {{ group }}
  {%- endif %}
  group.present:
    - name: {{ group }}
    {%- if 'group' in user and user.group is mapping and 'gid' in user.group %}
    - gid: {{ user['group']['gid'] }}
    {%- elif 'uid' in user %}
    - gid: {{ user['uid'] }}
    {%- endif %}
  user.present:
    - name: {{ name }}
    - home: {{ home }}
    - shell: {{ user.get('shell', u.get('shell', '/bin/sh')) }}
    {% if 'uid' in user -%}
    - uid: {{ user['uid'] }}
    {% endif -%}
    {% if 'password' in user -%}
    - password: '{{ user['password'] }}'
    {% endif -%}
    {% if user.get('fullname') -%}
    - fullname: {{ user['fullname'] | yaml_dquote }}
    {% endif %}
    {%- if user.get('expire') %}
        {%- if user['expire'] is number %}
    - expire: {{ user['expire'] }}
        {%- else %}
    - expire: {{ user['expire'] | strftime('%Y/%m/%d') }}
        {%- endif %}
    {%- endif %}
    - remove_groups: {{ user.get('remove_groups', 'False') }}
    - groups:
      - {{ group }}
      {% for more in user.get('groups', []) -%}
      - {{ more }}
      {% endfor %}
    - require:
      - group: {{ group }}
      {% for more in user.get('groups', []) -%}
      - group: {{ more }}
      {% endfor %}

{% for kind in ('present', 'absent') %}
{% for key in user.get('keys', {}).get(kind, []) %}
users-{{ name }}-key-{{ kind }}-{{ loop.index0 }}:
  ssh_auth.{{ kind }}:
    - user: {{ name }}
    - name: {{ key }}
    - require:
        - file: users-{{ name }}
        - user: users-{{ name }}
{% endfor %}
{% endfor %}

{%- if 'rules' in user %}
{% for rule in user['rules'] %}
"validate {{ name }} rule {{ loop.index0 }} {{ rule }}":
  cmd.run:
    - name: 'visudo -cf - <<<"$rule" | { read output; if [[ $output != "stdin: parsed OK" ]] ; then echo $output ; fi }'
    - stateful: True
    - shell: {{ u.shell }}
    - env:
      # In the environment, so that no shell reads it.
      - rule: "{{ name }} {{ rule }}"
    - require_in:
      - file: users-{{ u.sudoers }}/{{ name }}
{% endfor %}
users-{{ u.sudoers }}/{{ name }}:
  file.managed:
    - name: {{ u.sudoers }}/{{ name | replace('.', '_') }}
    - contents: |
      {%- for key, value in user.get('defaults', {}).items() %}
        Defaults:{{ name }} {{ key }}{% if value is not sameas true %}={{ value }}{% endif %}
      {%- endfor %}
      {%- for rule in user['rules'] %}
        {{ name }} {{ rule }}
      {%- endfor %}
    - check_cmd: visudo -cf
    - mode: '0440'
    - require:
      - sls: users.sudo
{%- endif %}
{% endfor %}

{% for name, user in everyone.items() if user is mapping and user.absent is defined and user.absent %}
{{ name }}:
{% if 'purge' in user or 'force' in user %}
  user.absent:
    {% if 'purge' in user %}
    - purge: {{ user['purge'] }}
    {% endif %}
    {% if 'force' in user %}
    - force: {{ user['force'] }}
    {% endif %}
{% else %}
  user.absent
{% endif -%}
users-{{ u.sudoers }}/{{ name }}:
  file.absent:
    - name: {{ u.sudoers }}/{{ name }}
{% endfor %}
