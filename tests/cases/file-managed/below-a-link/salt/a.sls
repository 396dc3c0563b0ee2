link:
  file.symlink:
    - name: @SANDBOX@/link
    - target: real
below:
  file.managed:
    - name: @SANDBOX@/link/f
    - contents: x
    - require:
      - file: link
