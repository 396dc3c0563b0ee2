a:
  test.nop:
    - item: {{ pillar.ports[80] }}
    - get: {{ pillar['ports'].get(443) }}
    - in: {{ 80 in pillar.ports }}
    - path: {{ salt['pillar.get']('ports:80') }}
    - function: {{ salt['pillar.get']('ports')[443] }}
    - none: {{ pillar.ports.get(81, 'none') }}
