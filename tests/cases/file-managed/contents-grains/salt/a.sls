text:
  file.managed:
    - name: @SANDBOX@/text
    - contents_grains: motd
deep:
  file.managed:
    - name: @SANDBOX@/deep
    - contents_grains: site:name
missing:
  file.managed:
    - name: @SANDBOX@/missing
    - contents_grains: nosuch
