{%- from 'prometheus/map.jinja' import prometheus with context %}
{%- from 'inventory.jinja' import inventory, by_role with context %}
include:
  - packages

# Two classes: somebody gets up at night (urgent), somebody reads it in the morning (informational).
{%- for class in ['urgent', 'informational'] %}
/etc/prometheus/{{ class }}.yml:
  file.managed:
    - source: salt://prometheus/files/{{ class }}.yml
    - check_cmd: promtool check rules
    - require:
      - pkg: packages
    - watch_in:
      - service: prometheus
{% endfor %}

/etc/prometheus/prometheus.yml:
  file.managed:
    - source: salt://prometheus/files/prometheus.yml.jinja
    - template: jinja
    - check_cmd: promtool check config
    - context:
        interval: {{ pillar['prometheus']['interval'] }}
        hosts: {{ inventory['hosts'] | json }}
        by_role: {{ by_role | json }}
    - require:
      - pkg: packages
      - file: /etc/prometheus/urgent.yml
      - file: /etc/prometheus/informational.yml

{{ prometheus.options }}:
  file.managed:
    - contents: |
        # Options of Prometheus.
        {{ prometheus.variable }}="{{ prometheus.arguments }}--storage.tsdb.retention.time={{ pillar['prometheus']['retention'] }}"
    - require:
      - pkg: packages

# Options count after a restart; for rules and targets a reload will do.
prometheus-options:
  service.running:
    - name: prometheus
    - watch:
      - file: {{ prometheus.options }}

prometheus:
  service.running:
    - enable: True
    - reload: True
    - watch:
      - file: /etc/prometheus/prometheus.yml
