# The file server for backups: the kernel's NFS, or, where the kernel has none, a server without a kernel.
include:
  - packages
  - .export
  - .{{ pillar['nfs']['server'] }}
{%- if pillar['nfs']['client'] == 'sshfs' %}
  - .sftp
{%- endif %}
