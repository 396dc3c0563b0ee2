{% set a = {'x': {'y': 1}, 'l': [1]} %}
{% set inner = a.x %}
{% do salt['defaults.merge'](a, {'x': {'z': 2}, 'l': [2]}) %}
{% set b = {'x': {'y': 1}} %}
{% do salt['slsutil.update'](b, {'x': {'z': 2}}) %}
{% set c = {'n': {'y': 1}, 'm': {}} %}
{% do salt['defaults.update'](c, {'z': 2}) %}
{% set d = {'x': 1} %}
{% set e = salt['defaults.merge'](d, {'y': 2}, in_place=False) %}
{% set f = {'x': {'y': 1}} %}
{% do salt['slsutil.merge'](f, {'x': {'z': 2}}) %}
x:
  test.nop:
    - a: {{ a | json }}
    - inner: {{ inner | json }}
    - b: {{ b | json }}
    - c: {{ c | json }}
    - d: {{ [d, e] | json }}
    - f: {{ f | json }}
