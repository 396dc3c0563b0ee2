one:
  file.accumulated:
    - name: lines
    - filename: @SANDBOX@/block
    - text: one
    - require_in:
      - file: block
more:
  file.accumulated:
    - name: lines
    - filename: @SANDBOX@/block
    - text: [one, two]
    - require_in:
      - file: block
block:
  file.blockreplace:
    - name: @SANDBOX@/block
    - marker_start: '#S'
    - marker_end: '#E'
    - content: zero
fed:
  file.accumulated:
    - name: words
    - filename: @SANDBOX@/page
    - text: [x, y]
    - watch_in:
      - file: page
page:
  file.managed:
    - name: @SANDBOX@/page
    - source: salt://page
    - template: jinja
orphan:
  file.accumulated:
    - name: words
    - filename: @SANDBOX@/page
    - text: z
