# Where backups go: a directory of the hosts with the role nfs, mounted by the databases.
nfs:
  export: /srv/backup
  # Everything on the export belongs to this user, whoever writes it.
  uid: 980
  # kernel | ganesha: what serves it.
  server: kernel
  # nfs4 | sshfs: how it is mounted.
  client: nfs4
