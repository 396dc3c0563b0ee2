{%- from 'nginx/map.jinja' import nginx with context -%}
{%- macro lines(items, depth=0) -%}
  {%- for item in items -%}
    {%- for key, value in item.items() -%}
      {%- if value is mapping or (value is sequence and value is not string) %}
{{ '    ' * depth }}{{ key }} {
{{- lines([value] if value is mapping else value, depth + 1) }}
{{ '    ' * depth }}}
      {%- else %}
{{ '    ' * depth }}{{ key }} {{ value }};
      {%- endif -%}
    {%- endfor -%}
  {%- endfor -%}
{%- endmacro -%}
{%- for name, items in nginx.snippets | dictsort %}
nginx-snippet-{{ name }}:
  file.managed:
    - name: /etc/nginx/snippets/{{ name }}.conf
    - contents: |
        # made from the pillar
        {{- lines(items) | indent(8) }}
    - require_in:
      - service: nginx-service
{%- endfor %}
