good:
  file.directory:
    - name: @SANDBOX@/good
    - check_cmd: 'true'
bad:
  file.directory:
    - name: @SANDBOX@/bad
    - check_cmd:
      - 'true'
      - 'false'
