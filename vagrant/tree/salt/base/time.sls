{%- from 'base/map.jinja' import base with context %}
{%- set time = pillar['time'] %}
include:
  - packages

{{ pillar['timezone'] }}:
  timezone.system:
    - utc: True

{{ base.chrony_conf }}:
  file.managed:
    - source: salt://base/files/chrony.conf.jinja
    - template: jinja
    - context:
        servers: {{ time['servers'] | json }}
    - require:
      - pkg: packages

{{ base.chrony_options }}:
  file.managed:
    - contents: |
        # Options of chronyd. -x: the clock is somebody else's, measure it only.
        {{ base.chrony_variable }}="{{ base.chrony_seccomp }}{{ '' if time['set_clock'] else ' -x' }}"
    - require:
      - pkg: packages
{%- if not time['set_clock'] %}

# The unit wants the right to set the clock, which is not needed to look at it.
/etc/systemd/system/{{ base.chrony }}.service.d/no-clock.conf:
  file.managed:
    - makedirs: True
    - contents: |
        [Unit]
        ConditionCapability=
    - watch_in:
      - service: {{ base.chrony }}
{%- endif %}

{{ base.chrony }}:
  service.running:
    - enable: True
    - require:
      - pkg: packages
    - watch:
      - file: {{ base.chrony_conf }}
      - file: {{ base.chrony_options }}
