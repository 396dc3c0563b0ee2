tidy:
  file.directory:
    - name: @SANDBOX@/d
    - clean: True
    - exclude_pat: E@(s/keep|top)
