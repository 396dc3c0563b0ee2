{#- The main file; what it holds is data until the host renders it. #}
{% from 'nginx/map.jinja' import nginx, block with context %}
{% from 'nginx/sources.jinja' import sources with context %}
nginx-config:
  file.managed:
    {{- block({'user': 'root', 'show_changes': False}) }}
    - name: {{ nginx.lookup.conf }}
    - source: {{ sources(['nginx.conf.jinja', 'nginx.conf'], 'nginx-config') }}
    - template: jinja
    - context:
        config: {{ nginx.config|json(sort_keys=False) }}
    - watch_in:
      - service: nginx-service
    - require:
      - sls: nginx.package
