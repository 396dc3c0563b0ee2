# People: their accounts, the keys that let them in, and what they may become.
include:
  - packages

{%- for name, user in pillar.get('users', {}).items() %}
{{ name }}:
  user.present:
    - fullname: {{ user.get('fullname', name) | yaml_dquote }}
    - shell: /bin/bash
    - usergroup: True

{%-   if user.get('ssh_keys') %}

{{ name }}-ssh-keys:
  ssh_auth.present:
    - user: {{ name }}
    - names: {{ user['ssh_keys'] | json }}
    - require:
      - user: {{ name }}
{%-   endif %}
{%-   if user.get('sudo') %}

# A sudoers file with a mistake locks everybody out of root: visudo reads it first.
/etc/sudoers.d/{{ name }}:
  file.managed:
    - contents: {{ (name ~ ' ' ~ user['sudo']) | yaml_dquote }}
    - mode: '0440'
    - check_cmd: visudo -c -q -f
    - require:
      - pkg: packages
      - user: {{ name }}
{%-   endif %}
{% endfor %}
