{% if grains['os'] == 'Debian' %}
one:
  test.nop: []
