{#- Scripts for the node exporter; a dir below the formula's own. -#}
{%- from 'prometheus/sources.jinja' import sources with context %}
include:
  - ...service
node-textfile:
  file.recurse:
    - name: /usr/local/lib/node-exporter
    - source: salt://{{ slspath }}/files/scripts
    - file_mode: '0755'
    - include_empty: True
    - context: {sls: {{ sls }}, tpl: {{ tplfile }}, dots: {{ slsdotpath }}, colons: {{ slscolonpath }}}
node-cron:
  cron.present:
    - name: /usr/local/lib/node-exporter/smart > /var/tmp/node/smart.prom
    - minute: '*/{{ [5, grains.num_cpus] | max }}'
    - identifier: {{ slsdotpath }}
  file.managed:
    - name: /etc/default/node
    - source: {{ sources(['default'], deep=True) }}
extend:
  prometheus-service-node_exporter:
    service:
      - watch: [file: node-cron, file: node-textfile]
