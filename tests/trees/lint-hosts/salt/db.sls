{% if grains['role'] == 'db' %}
db:
  test.nop:
    - require:
      - test: {{ grains['os'] }}
{% endif %}
