{%- from 'prometheus/map.jinja' import prometheus with context %}
include:
  - packages

/etc/prometheus/alertmanager.yml:
  file.managed:
    - source: salt://prometheus/files/alertmanager.yml.jinja
    - template: jinja
    # Receivers may hold passwords.
    - mode: '0640'
    - group: prometheus
    - check_cmd: amtool check-config
    - require:
      - pkg: packages

# One Alertmanager has no others to agree with.
{{ prometheus.alertmanager_options }}:
  file.managed:
    - contents: |
        # Options of Alertmanager.
        {{ prometheus.alertmanager_variable }}="{{ prometheus.alertmanager_arguments }}--cluster.listen-address="
    - require:
      - pkg: packages

alertmanager-options:
  service.running:
    - name: {{ prometheus.alertmanager }}
    - watch:
      - file: {{ prometheus.alertmanager_options }}

{{ prometheus.alertmanager }}:
  service.running:
    - enable: True
    - reload: True
    - watch:
      - file: /etc/prometheus/alertmanager.yml
