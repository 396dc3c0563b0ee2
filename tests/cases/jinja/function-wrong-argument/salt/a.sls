x:
  test.nop:
    - v: {{ salt['pillar.get']('x', defualt=1) }}
