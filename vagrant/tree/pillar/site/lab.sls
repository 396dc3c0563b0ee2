# The lab is one machine: hosts share its clock and kernel.
time:
  set_clock: False
