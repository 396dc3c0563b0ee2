include: [redis.legacy]
vm.overcommit_memory:
  sysctl.present: [{value: 1}, {config: /etc/sysctl.d/30-redis.conf}]
transparent_hugepage:
  cmd.run:
    - name: echo never > /sys/kernel/mm/transparent_hugepage/enabled
    - unless: "grep -q '\\[never' /sys/kernel/mm/transparent_hugepage/enabled"
    - require_in: [{pkg: redis-package}]
