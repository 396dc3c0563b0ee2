{%- from slspath ~ '/map.jinja' import chrony with context %}
{%- set sorted = chrony.servers | default({}) | dictsort(false, 'value') %}
chrony:
  pkg.installed: [{name: {{ chrony.package }}}]
  file.managed:
    - name: {{ chrony.config }}
    - source: salt://chrony/files/chrony.conf.jinja
    - template: jinja
    - context: {{ {'servers': sorted, 'makestep': chrony.makestep | default([1.0, 3])} | yaml }}
    - backup: {{ chrony.backup | default('minion') }}
  service.running:
    - name: {{ chrony.service }}
    - enable: true
    - watch: [{file: {{ chrony.config }}}, {pkg: chrony}]
chrony-others:
  pkg.purged:
    - pkgs: [ntp, ntpdate{{ ', systemd-timesyncd' if grains['osfinger'].startswith('Debian') }}]
    - prereq: [{pkg: chrony}]
  service.masked:
    - names: [ntpd, {{ 'systemd-timesyncd' }}]
    - onlyif:
      - fun: service.available
        args: [ntpd]
chrony-zone:
  timezone.system: [{name: {{ chrony.zone }}}, {utc: True}]
{%- if chrony.keys is defined and chrony.get('secret') %}
chrony-keys:
  file.managed:
    - name: {{ chrony['keys'] }}
    - contents_pillar: chrony:secret
    - mode: '0640'
    - group: {{ {'Debian': '_chrony', 'RedHat': 'chrony'}.get(grains['os_family'], 'root') }}
    - require_in: [{service: chrony}]
{%- endif %}
chrony-made-{{ '%s.%03d' | format(grains.osrelease, 7) }}:
  test.configurable_test_state:
    - changes: {{ chrony.makestep is defined }}
    - result: True
    - comment: {{ (chrony | tojson)[:20] | yaml_dquote }}
    - onfail: [{service: chrony}]
