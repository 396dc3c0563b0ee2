short:
  test.nop:

list:
  test.nop: text

none:
  test:
    - name: x

12:
  test.nop: []

twice:
  file.managed: []
  file.absent: []

dots:
  test.nop:
    - require:
      - pkg.installed: x
    - watch: list
