# The lab is one machine: hosts share its clock and kernel.
time:
  set_clock: False

# No way out: what npm fetches is served by the lab itself.
app:
  npm:
    registry: http://192.168.56.1:8099/npm/

# This machine's kernel has no NFS, neither to serve nor to mount. A server without a kernel serves the export, from
# memory, and sftp stands in for the mount.
nfs:
  server: ganesha
  client: sshfs

mysql:
  buffer_pool: 32M
