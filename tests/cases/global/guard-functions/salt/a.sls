pillar-yes:
  test.succeed_with_changes:
    - onlyif:
      - fun: pillar.get
        key: yes_
        default: 1
pillar-missing:
  test.succeed_with_changes:
    - onlyif:
      - fun: pillar.get
        args: [none]
get-return:
  test.succeed_with_changes:
    - unless:
      - fun: pillar.item
        args: [deep]
        get_return: deep:a:1
match:
  test.succeed_with_changes:
    - onlyif:
      - fun: match.grain
        tgt: 'roles:web'
no-match:
  test.succeed_with_changes:
    - onlyif:
      - fun: match.glob
        tgt: 'other*'
file:
  test.succeed_with_changes:
    - unless:
      - fun: file.file_exists
        path: @SANDBOX@/there
both:
  test.succeed_with_changes:
    - onlyif:
      - fun: config.get
        args: [nothing, fallback]
      - fun: file.contains
        args: ['@SANDBOX@/there', x]
