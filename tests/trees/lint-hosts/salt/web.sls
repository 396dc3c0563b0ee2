{% set port = pillar['port'] %}
web:
  test.configurable_test_state:
    - name: {{ grains['os'] }}-{{ port }}
    - chanegs: true
