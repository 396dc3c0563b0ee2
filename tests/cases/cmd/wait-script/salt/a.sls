changes:
  test.succeed_with_changes
fires:
  cmd.wait_script:
    - source: salt://s.sh
    - args: a b
    - watch:
      - test: changes
idle:
  cmd.wait_script:
    - source: salt://s.sh
