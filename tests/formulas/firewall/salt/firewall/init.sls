{%- set fw = salt['pillar.get']('firewall', {}) %}
{%- set use = salt['match.filter_by']({'G@os_family:RedHat': 'firewalld', 'G@os_family:Debian and not web9': 'iptables'}, default='none') if fw.by == 'match' else fw.by %}
{%- if use == 'firewalld' %}
include: [.zones]
{%- elif use == 'iptables' %}
{%- set ports = [] %}
{%- for service, setting in fw.services | dictsort %}
{%-   for port, proto in setting.ports | product(setting.get('protos', ['tcp'])) %}
{%-     do ports.append((proto, port, service, loop.first)) %}
{%-   endfor %}
{%- endfor %}
{%- for proto, group in ports | groupby(0) %}
{%- for _, port, service, first in group | sort(attribute='1') %}
firewall-{{ proto }}-{{ port }}:
  iptables.{{ 'insert' if first else 'append' }}:
    {%- if first %}
    - position: {{ loop.index }}
    {%- endif %}
    - table: filter
    - chain: INPUT
    - jump: ACCEPT
    - match: [state, comment]
    - comment: {{ service | quote }}
    - connstate: NEW
    - dport: {{ port }}
    - proto: {{ proto }}
    - sources: {{ fw.services[service].from | default([], true) | ipaddr | sort | join(',') or 'any' }}
    - save: {{ loop.last and proto == 'udp' }}
    {%- if loop.previtem is defined %}
    - require: [{iptables: firewall-{{ proto }}-{{ loop.previtem[1] }}}]
    {%- endif %}
{%- endfor %}
{%- endfor %}
{%- endif %}

firewall-strict:
  iptables.set_policy: [{chain: INPUT}, {policy: {{ 'DROP' if fw.strict | to_bool else 'ACCEPT' }}}, {order: last}]
{%- set nets = fw.services.values() | map(attribute='from', default=[]) | flatten | unique | list %}
firewall-nets:
  test.nop:
    - nets: {{ nets | sort | json }}
    - private: {{ nets | select('match', '^(10|192)[.]') | list | tojson }}
    - sizes: {{ nets | map('network_size') | list }}
    - v6: {{ nets | ipv6 | list }}
    - batches: {{ nets | batch(2, 'none') | map('list') | list | json }}
    - sliced: {{ nets | slice(2) | map('list') | list | json }}
    - diff: {{ nets | symmetric_difference(['192.0.2.0/24']) | sort | list | json }}
    - zipped: {{ nets | zip(range(9)) | list | json }}
