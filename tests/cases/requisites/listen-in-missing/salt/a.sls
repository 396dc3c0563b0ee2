quiet:
  test.succeed_without_changes:
    - listen_in:
      - cmd: nobody
loud:
  test.succeed_with_changes:
    - listen_in:
      - cmd: nowhere
