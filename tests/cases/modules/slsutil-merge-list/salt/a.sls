a:
  test.nop:
    - merged: {{ salt['slsutil.merge']({'one': {'x': 1}, 'two': 2}, {'one': {'y': 2}, 'three': 3}, strategy='list') | json }}
