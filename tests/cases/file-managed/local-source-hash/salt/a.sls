right:
  file.managed:
    - name: @SANDBOX@/right
    - source: @SANDBOX@/src
    - source_hash: @SANDBOX@/sums
wrong:
  file.managed:
    - name: @SANDBOX@/wrong
    - source: @SANDBOX@/src
    - source_hash: sha256=0000000000000000000000000000000000000000000000000000000000000000
tree:
  file.managed:
    - name: @SANDBOX@/tree
    - source: salt://f
    - source_hash: sha256=0000000000000000000000000000000000000000000000000000000000000000
