x:
  test.nop:
    - banner: {{ salt['slsutil.banner'](width=50, commentchar='//', borderchar='-', title='Made for ' ~ grains.id) | json }}
    - json: {{ salt['slsutil.serialize']('json', {'b': [1, True], 'a': none}, sort_keys=True, indent=2) | json }}
    - ini: {{ salt['slsutil.serialize']('configparser', {'main': {'Port': 80}}) | json }}
    - read: {{ salt['slsutil.deserialize']('configparser', '[a]\nx = 1\n') | json }}
    - rendered: {{ salt['slsutil.renderer']('salt://part.jinja', default_renderer='jinja|yaml', who='me') | json }}
    - found: {{ salt['slsutil.findup']('deep/er', ['part.jinja', 'none']) }}
    - words: {{ [salt['slsutil.boolstr'](True), salt['slsutil.boolstr']('', 'y', 'n')] | json }}
    - exists: {{ [salt['slsutil.file_exists']('part.jinja'), salt['slsutil.dir_exists']('deep'), salt['slsutil.path_exists']('/part.jinja')] | json }}
