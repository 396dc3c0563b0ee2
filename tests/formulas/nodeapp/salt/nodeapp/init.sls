{%- from 'nodeapp/map.jinja' import node with context %}
{%- import 'nodeapp/unit.jinja' as u with context %}
{%- set arch = {'amd64': 'x64', 'x86_64': 'x64', 'aarch64': 'arm64'}[grains.osarch] %}
nodeapp-build:
  pkg.installed:
    - pkgs: {{ node.build }}
nodeapp-runtime:
  archive.extracted:
    - name: /opt/node
    - source: https://node.example/v{{ node.version }}/node-v{{ node.version }}-linux-{{ arch }}.tar.xz
    - source_hash: https://node.example/v{{ node.version }}/SHASUMS256.txt
    - options: --strip-components=1
    - enforce_toplevel: False
    - trim_output: 5
    - if_missing: /opt/node/bin/node
nodeapp-global:
  npm.installed:
    - names: {{ ['pm2', 'yarn@1.22'] | tojson }}
    - dir: /opt/node
    - require: [archive: nodeapp-runtime]
{% for name, app in node.apps | dictsort(by='key') %}
{%- do app.update(salt['defaults.deepcopy'](app)) if false %}
{%- set dir = app.get('dir', salt['file.join'](node.root, name)) %}
nodeapp-{{ name }}:
  git.latest:
    - name: {{ app.repo }}
    - target: {{ dir }}
    - rev: {{ app.rev | default('main', boolean=true) }}
    - user: {{ node.user }}
    - force_reset: {{ app.force is defined and app.force }}
  file.managed:
    - names:
      - {{ dir }}/.env:
        - contents_pillar: nodeapp:apps:{{ name }}:secret
        - mode: '0600'
      - /etc/systemd/system/{{ name }}.service:
        - contents: {{ u.unit(name, app, 'server.js', '--trace', port=app.port, host='::') | yaml_encode if false else u.unit(name, app, 'server.js', '--trace', port=app.port) | json }}
    - user: {{ node.user }}
    - require: [{git: nodeapp-{{ name }}}]
  cmd.run:
    - names:
      - npm ci
      - npm run build: [{env: [{NODE_ENV: production}]}]
    - cwd: {{ dir }}
    - runas: {{ node.user }}
    - onchanges: [git: nodeapp-{{ name }}]
    - retry: {attempts: 3, until: True, interval: 5}
  module.run:
    - service.systemctl_reload: []
    - onchanges:
      - file: nodeapp-{{ name }}
  service.running:
    - name: {{ name }}
    - enable: true
    - watch: [{module: nodeapp-{{ name }}}, {cmd: npm run build}]
{% endfor %}
