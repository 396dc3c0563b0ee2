one:
  file.managed:
    - name: @SANDBOX@/one
    - source: [salt://nosuch]
empty:
  file.managed:
    - name: @SANDBOX@/empty
    - source: ''
relative:
  file.managed:
    - name: @SANDBOX@/relative
    - source: f
scheme:
  file.managed:
    - name: @SANDBOX@/scheme
    - source: foo://bar
parent:
  file.managed:
    - name: @SANDBOX@/file/below
    - contents: x
