# What every host has: people, kernel settings, time.
users:
  ops:
    fullname: Operations
    # What stands behind the name in sudoers; without it the user may become nobody else.
    sudo: 'ALL=(ALL:ALL) NOPASSWD: ALL'
    # Yours in place of this one: nobody has its private half.
    ssh_keys:
      - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIr7ufuzh4nUFP/YpMncAgDSjmUtikrAnHTlXmxzjWb8 ops@example.org

sysctl:
  net.core.somaxconn: 4096
  net.ipv4.tcp_syncookies: 1
  net.ipv4.conf.all.rp_filter: 1
  net.ipv4.conf.all.accept_redirects: 0

timezone: Etc/UTC

time:
  servers:
    - 0.pool.ntp.org
    - 1.pool.ntp.org
    - 2.pool.ntp.org
  # False where the clock belongs to somebody else, as in a container: it is measured then and not set.
  set_clock: True
