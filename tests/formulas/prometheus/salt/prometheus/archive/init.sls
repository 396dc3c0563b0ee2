{%- from 'prometheus/map.jinja' import prometheus as p with context %}
{%- from 'prometheus/macros.jinja' import pairs with context %}
prometheus-archive-deps:
  pkg.installed:
    - names: [tar, gzip]
{%- for name in p.wanted.component %}
{%- set c = p.pkg.component[name] %}
prometheus-archive-{{ name }}:
  archive.extracted:
    {{- pairs(c.archive) }}
    - options: --strip 1
    - enforce_toplevel: false
    - retry: {{ {'attempts': 3, 'until': True, 'interval': 60} | json }}
    - require: [{pkg: prometheus-archive-deps}]
  file.symlink:
    - names:
      {%- for command in c.get('commands', [name]) %}
      - /usr/local/bin/{{ command }}: [{target: {{ c.path }}/{{ command }}}]
      {%- endfor %}
    - force: True
{%- endfor %}
