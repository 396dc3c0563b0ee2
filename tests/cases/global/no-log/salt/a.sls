bad:
  test.fail_without_changes: []
run:
  cmd.run:
    - name: echo secret
    - no_log: True
file:
  file.managed:
    - name: @SANDBOX@/f
    - contents: secret
    - no_log: True
not-run:
  test.nop:
    - no_log: True
    - require:
      - test: bad
skipped:
  test.nop:
    - no_log: True
    - unless: 'true'
