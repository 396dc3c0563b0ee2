include:
  - packages

# npm itself. It is needed while a release is installed, and no longer.
{%- set npm = pillar['app']['npm'] %}
{%- if npm.get('version') %}
{%- set home = '/opt/npm/' ~ npm.version %}
{{ home }}:
  archive.extracted:
    - source: {{ npm.registry }}npm/-/npm-{{ npm.version }}.tgz
    - source_hash: {{ npm.hash }}
    - archive_format: tar
    - options: --strip-components=1
    - enforce_toplevel: False
    - user: root
    - group: root
    - if_missing: {{ home }}/package.json
    - require:
      - pkg: packages

npm:
  file.symlink:
    - name: /usr/local/bin/npm
    - target: {{ home }}/bin/npm-cli.js
    - require:
      - archive: {{ home }}
{%- else %}
npm:
  pkg.installed: []
{%- endif %}
