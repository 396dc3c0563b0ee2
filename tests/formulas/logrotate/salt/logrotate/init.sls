{%- macro hash_to_lines(hash, depth=1) -%}
{%- for key, value in hash.items() %}
{{ '    ' * depth }}{{ key }}{% if value is not none %}{{ ' ' }}{{ value }}{% endif %}
{%- endfor -%}
{%- endmacro %}
{%- set jobs = salt['pillar.get']('logrotate:jobs', {}) %}
{%- set su = {'Debian': 'adm', 'RedHat': 'root'}[grains.os_family] %}
logrotate:
  pkg:
    - installed
  file.managed:
    - name: /etc/logrotate.conf
    - contents:
      - weekly
      {%- for line in salt['pillar.get']('logrotate:global', ['rotate 4']) %}
      - {{ line }}
      {%- endfor %}
      - include /etc/logrotate.d
    - contents_newline: {{ grains.os_family != 'Debian' }}
logrotate-dir:
  file.recurse:
    - name: /etc/logrotate.d
    - source: salt://{{ tpldir }}/files/jobs
    - clean: True
    - exclude_pat: [E@^\., '*.dpkg-*']
    - file_mode: keep
    - user: root
    - group: {{ su }}
    - require: [{pkg: logrotate}]
{%- for name, job in jobs.items() %}
{%- if job is string %}{% set job = {'path': [job]} %}{% endif %}
logrotate-{{ name }}:
  file:
    - managed
    - name: /etc/logrotate.d/{{ name }}
    - contents: |
        {{ (job.path if job.path is sequence and job.path is not string else [job.path]) | join('\n') | indent(8) }} {
        {{- hash_to_lines(job.get('config', {'missingok': none, 'rotate': 7})) | indent(8) }}
        {%- for script in ['prerotate', 'postrotate'] if script in job %}
            {{ script }}
                {{ job[script] | trim | indent(16) }}
            endscript
        {%- endfor %}
        }
    - require: [{file: logrotate-dir}]
    - require_in: [{cmd: logrotate-check}]
{%- endfor %}
logrotate-check:
  cmd.run:
    - name: |
        for f in {{ jobs.keys() | map('regex_replace', '^', '/etc/logrotate.d/') | join(' ') }}; do
          logrotate -d "$f" || exit 1
        done
    - onchanges_any: [{file: logrotate}, {file: logrotate-dir}]
    - success_retcodes: [{{ range(0, 5, 2) | join(', ') }}]
