onlyif-false:
  test.nop:
    - onlyif: False
onlyif-list:
  test.nop:
    - onlyif: ['true', False, 'false']
unless-true:
  test.nop:
    - unless: True
unless-list:
  test.nop:
    - unless: [True, 'true']
unless-last:
  test.nop:
    - unless: ['true', True]
nameless:
  test.nop:
    - unless:
      - 'true'
      - args: [x]
both:
  test.nop:
    - onlyif: [7]
    - unless: 'true'
creates-list-of-one:
  test.nop:
    - creates: [/etc/passwd]
creates-empty:
  test.nop:
    - creates: []
creates-number:
  test.nop:
    - creates: 5
    - unless: 'true'
missing-directory:
  test.nop:
    - cwd: @SANDBOX@/none
    - unless: 'true'
missing-directory-onlyif:
  test.nop:
    - cwd: @SANDBOX@/none
    - onlyif: 'true'
excluded-directory:
  test.nop:
    - cwd: @SANDBOX@/none
    - cmd_opts_exclude: [cwd]
    - unless: 'false'
codes:
  cmd.run:
    - name: 'true'
    - success_retcodes: [3]
    - unless: exit 3
