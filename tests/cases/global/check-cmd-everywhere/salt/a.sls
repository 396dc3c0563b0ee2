run:
  cmd.run:
    - name: 'true'
    - cwd: @SANDBOX@
    - env:
      - JUDGE: here
    - check_cmd:
      - test "$PWD" != @SANDBOX@
      - test -z "$JUDGE"
bad:
  test.succeed_with_changes:
    - check_cmd: 'false'
skipped:
  test.succeed_with_changes:
    - unless: 'true'
    - check_cmd: 'false'
gone:
  file.absent:
    - name: @SANDBOX@/none
    - check_cmd: 'false'
