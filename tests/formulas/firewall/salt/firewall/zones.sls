{%- set fw = pillar['firewall'] %}
{%- for zone, services in fw.services.items() | groupby('1.zone') %}
firewall-zone-{{ zone }}:
  firewalld.present:
    - name: {{ zone }}
    - block_icmp: [echo-reply, echo-request]
    - default: {{ loop.changed(zone) and loop.first }}
    - masquerade: {{ zone is match('^ext') }}
    - ports:
      {%- for name, setting in services recursive %}
      {%- for port in setting.ports %}
      - {{ port }}/{{ setting.protos | d(['tcp']) | first }}
      {%- endfor %}
      {%- endfor %}
    - sources: {{ services | map('last') | map(attribute='from', default=[]) | sum(start=[]) | json }}
{%- endfor %}
firewalld:
  service.running: [{enable: true}, {watch: [{firewalld: 'firewall-zone-*'}]}]
