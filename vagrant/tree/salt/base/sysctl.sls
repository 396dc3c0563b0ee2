{%- for name, value in pillar.get('sysctl', {}).items() %}
{{ name }}:
  sysctl.present:
    - value: {{ value }}
    - config: /etc/sysctl.d/90-stack.conf
{%- endfor %}
