{%- import_yaml tpldir ~ '/defaults.yaml' as defaults %}
{%- set k = salt['defaults.merge'](defaults.keepalived, salt['pillar.get']('keepalived', {}), in_place=False) %}
{%- set ns = namespace(masters=[], ips={}, weight=0) %}
{%- for name, vrrp in k.instances | dictsort %}
{%-   set rank = vrrp.hosts.index(grains.id) if grains.id in vrrp.hosts else -1 %}
{%-   if rank < 0 %}{% continue %}{% endif %}
{%-   if loop.index > k.most %}{% break %}{% endif %}
{%-   if rank == 0 %}{% do ns.masters.append(name) %}{% endif %}
{%-   do ns.ips.update({name: vrrp.ips | map('regex_replace', '/\d+$', '') | list}) %}
{%-   set ns.weight = ns.weight + (100 - rank * 10) %}

keepalived-{{ name }}:
  file.managed:
    - name: /etc/keepalived/conf.d/{{ name | lower | replace(' ', '_') }}.conf
    - makedirs: true
    - mode: '0640'
    - contents:
      - vrrp_instance {{ name }} {
      - "  state {{ 'MASTER' if rank == 0 else 'BACKUP' }}"
      - "  priority {{ 100 - rank * 10 }}"
      - "  interface {{ vrrp.interface | default(grains.ip4_interfaces.keys() | reject('equalto', 'lo') | first) }}"
      - "  virtual_router_id {{ loop.index0 + 51 }}"
      {%- for ip in vrrp.ips if ip | ipv4 %}
      - "  {{ ip }} dev eth0"
      {%- endfor %}
      - '}'
    - onchanges_in:
      - cmd: keepalived-check
    - listen_in:
      - service: keepalived-service
{%- endfor %}

{{ k.package }}:
  pkg.latest: []

keepalived-check:
  cmd.run:
    - name: keepalived -t -f {{ k.config }} && echo {{ ns.masters | join(',') or 'none' }}:{{ ns.weight }}
    - env: {{ [{'LC_ALL': 'C'}, {'IPS': ns.ips.values() | sum(start=[]) | join(' ')}] | yaml }}
    - require:
      - pkg: {{ k.package }}

{% for key, value in k.sysctl.items() -%}
{{ key }}:
  sysctl.present: [{value: {{ value }}}]
{% endfor %}
keepalived-service:
  service.running:
    - name: keepalived
    - enable: {{ ns.masters | length > 0 }}
    - require_any:
      - cmd: keepalived-check
      - pkg: {{ k.package }}
