c1:
  test.succeed_with_changes:
    - listen_in:
      - cmd: third
c2:
  test.succeed_with_changes: []
first:
  cmd.wait:
    - name: echo first
    - listen:
      - test: c2
second:
  cmd.wait:
    - name: 'false'
    - failhard: True
    - listen:
      - test: c1
third:
  cmd.wait:
    - name: echo third
fourth:
  cmd.wait:
    - name: echo fourth
    - listen:
      - test: c2
