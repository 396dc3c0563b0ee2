x:
  test.nop:
    - seed: {{ salt['random.seed'](60) }}
    - int: {{ salt['random.rand_int'](5, 500, seed='abc') }}
    - shuffle: {{ salt['random.shuffle'](['a', 'b', 'c', 'd', 'e'], seed=grains.id) | json }}
    - sample: {{ salt['random.sample'](range(40) | list, 5, seed='7') | json }}
    - hash: {{ salt['random.hash']('x', 'md5') }}
    - mac: {{ salt['hashutil.hmac_compute']('text', 'secret') }}
    - lines: {{ salt['hashutil.base64_encodestring']('x' * 70) | json }}
    - net: {{ [salt['network.calc_net']('10.1.2.3/20'), salt['network.reverse_ip']('10.1.2.3'), salt['network.is_private']('8.8.8.8')] | json }}
    - cidr: {{ salt['network.convert_cidr']('172.31.0.5/16') | json }}
    - newer: {{ salt['salt_version.greater_than']('Sodium') }}
    - filtered: {{ salt['match.filter_by']({'x*': {'a': [1]}, 'min*': {'a': [1]}}, merge={'a': [2]}, merge_lists=True) | json }}
    - ifelse: {{ salt['match.ifelse']('other*', 1, 'minion1', 2, 3) }}
    - option: {{ [salt['config.option']('os_family'), salt['config.option']('none', 'd')] | json }}
