{%- from './map.jinja' import redis, instance with context %}
include:
  - redis.sysctl
exclude:
  - id: redis-unwanted
  - sls: redis.legacy
redis-package:
  pkg.installed: [{name: {{ redis.package }}}]
redis-template:
  file.managed:
    - name: {{ redis.dir }}/common.conf
    - user: {{ redis.user }}
    - group: {{ redis.user }}
    - mode: '0640'
    - makedirs: True
    - contents: '# common'
    - require: [{pkg: redis-package}]
{%- for name, conf in redis.instances | dictsort %}
{%- set it = instance(name, conf) | load_yaml %}
redis-{{ name }}:
  file.managed:
    - name: {{ redis.dir }}/{{ name }}.conf
    - use: [{file: redis-template}]
    - contents: {{ it.lines | json }}
  service.running:
    - name: {{ redis.unit % {'name': name} if '%(' in redis.unit else redis.unit.format(name) }}
    - enable: true
    - watch: [{file: redis-{{ name }}}]
    - init_delay: {{ loop.index0 * 0.5 }}
{%- if it.port | int > 6379 %}
    - order: {{ -loop.revindex }}
{%- endif %}
{%- endfor %}
redis-facts:
  file.serialize:
    - name: {{ redis.dir }}/facts.yaml
    - serializer: yaml
    - dataset: {{ salt['slsutil.serialize']('json', redis) }}
    - merge_if_exists: True
redis-text:
  test.nop:
    - yaml: {{ salt.slsutil.serialize('yaml', {'b': [1, 2], 'a': none}) | json }}
    - round: {{ (redis.memory / 3) | round(1) }} {{ redis.memory // 3 }} {{ 2 ** 10 }} {{ redis.memory % 7 }}
    - bool: {{ salt['slsutil.boolstr'](redis.memory > 10, 'on', 'off') }}
    - lists: {{ redis.instances.values() | map(attribute='port') | select('defined') | map('string') | sort | join('/') }}
    - keys: {{ redis | dictsort | map('first') | list }}
    - printed: "{{ redis.instances.cache }}"
redis-unwanted:
  test.nop: []
