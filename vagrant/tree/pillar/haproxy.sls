haproxy:
  # Number of the floating address' VRRP group: one per network.
  router_id: 51
  # Name and password of the statistics page; without them the firewall alone guards it.
  # stats: { user: admin, password: … }
