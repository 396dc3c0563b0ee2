# One rule set per host, checked as a whole before it goes live and loaded in one step.
{%- from 'base/map.jinja' import base with context %}
include:
  - packages

{%- if grains['os_family'] == 'RedHat' %}
firewalld:
  service.dead:
    - enable: False
    - require_in:
      - service: nftables
{%- endif %}

{{ base.nftables }}:
  file.managed:
    - source: salt://base/files/nftables.conf.jinja
    - template: jinja
    - mode: '0600'
    - check_cmd: {{ base.nft }} -c -f
    - require:
      - pkg: packages

nftables:
  service.running:
    - enable: True
    - reload: True
    - watch:
      - file: {{ base.nftables }}
