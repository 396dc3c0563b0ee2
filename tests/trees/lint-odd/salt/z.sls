z:
  file.managed:
    - source: [1, {a: b}, salt://]
    - names: 5
    - mode: [1]
    - require: 7
    - order: {}
  pkg: installed
