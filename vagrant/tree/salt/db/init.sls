# The database tier: MariaDB or MySQL, one primary and replicas that read from it by GTID, and the nightly backup.
include:
  - packages
  - .server
  - .replication
  - .backup
