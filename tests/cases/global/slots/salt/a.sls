text:
  file.managed:
    - name: @SANDBOX@/text
    - contents: __slot__:salt:test.echo('from a slot')
more:
  file.managed:
    - name: @SANDBOX@/more
    - contents: __slot__:salt:test.echo(one) ~ " two"
path:
  file.managed:
    - name: @SANDBOX@/path
    - contents: __slot__:salt:test.arg(x, k='v w').kwargs.k ~ /end
list:
  file.managed:
    - name: @SANDBOX@/list
    - contents:
      - plain
      - __slot__:salt:test.echo(slotted)
no-call:
  test.show_notification:
    - text: __slot__:salt:test.echo
name:
  cmd.run:
    - name: __slot__:salt:test.echo('echo hi')
env:
  cmd.run:
    - name: echo $A
    - env:
      - A: __slot__:salt:test.echo('in a mapping')
made:
  cmd.run:
    - name: echo made > @SANDBOX@/made
reads:
  file.managed:
    - name: @SANDBOX@/reads
    - contents: __slot__:salt:cmd.run('cat @SANDBOX@/made')
    - require:
      - cmd: made
