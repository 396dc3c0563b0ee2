before:
  cmd.run:
    - name: echo "$A-$B"
one:
  environ.setenv:
    - name: A
    - value: set
more:
  environ.setenv:
    - name: any
    - value: {B: set, C: false}
after:
  cmd.run:
    - name: echo "$A-$B"
    - env:
      - B: own
