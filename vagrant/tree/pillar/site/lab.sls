# The lab is one machine: hosts share its clock and kernel.
time:
  set_clock: False

# No way out: what npm fetches is served by the lab itself.
app:
  npm:
    registry: http://192.168.56.1:8099/npm/
