# Every host knows every other by name, whether or not there is a name server.
{%- for name, host in pillar['inventory']['hosts'].items() %}
hosts-{{ name }}:
  host.present:
    - name: {{ name }}
    - ip: {{ host['ip'] }}
{%- endfor %}

hosts-vip:
  host.present:
    - name: vip
    - ip: {{ pillar['inventory']['vip'] }}
