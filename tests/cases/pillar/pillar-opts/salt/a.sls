x{{ pillar.master.id }}:
  test.nop
