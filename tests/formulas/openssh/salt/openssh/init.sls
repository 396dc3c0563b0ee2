{%- from tpldir ~ '/map.jinja' import openssh with context %}
openssh:
  {% if openssh.server is defined %}
  pkg.installed:
    - name: {{ openssh.server }}
    {%- if openssh.version is defined %}
    - version: {{ openssh.version }}
    {%- endif %}
  {% endif %}
  {% if openssh.enable is sameas true %}
  service.running:
    - enable: {{ openssh.enable }}
    - name: {{ openssh.service }}
    - require: [{pkg: openssh}]
  {% else %}
  service.dead: [{enable: False}, {name: {{ openssh.service }}}]
  {% endif %}
