# salt-rs: allow unused-file
spare:
  test.nop: []
