{%- from 'users/map.jinja' import users with context %}
users-sudo:
  pkg.installed: [{name: sudo}]
  file.directory:
    - name: {{ users.sudoers }}
    - mode: '0750'
    - require: [{pkg: users-sudo}]
users-sudo-defaults:
  file.append:
    - name: /etc/sudoers
    - text:
      - Defaults   env_reset
      - Defaults   secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
      - '#includedir {{ users.sudoers }}'
      - '%{{ users.sudo_group }} ALL=(ALL) ALL'
    - require: [pkg: users-sudo]
