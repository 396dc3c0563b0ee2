late:
  test.nop:
    - order: last
named:
  test.nop:
    - names:
      - n1
      - n2:
        - order: last
needs-both:
  test.nop:
    - name: n3
    - require:
      - test: named
other:
  test.nop:
    - names:
      - n4:
        - order: last
ordered:
  test.nop:
    - order: 5
    - require:
      - test: late
