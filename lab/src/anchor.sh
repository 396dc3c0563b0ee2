#!/bin/sh
# Holds what the hosts of a lab share: a network namespace with the bridge, and a mount namespace in which each has a
# tmpfs for a disk (the machine's own disk may be slow at deleting). Says "here" when both are ready.
# In: DISKS (mount point), GATEWAY (address/prefix of the bridge).
set -e
mount --make-rprivate /
mount -t tmpfs -o size=16m,mode=755 lab "$DISKS"
ip link set lo up
ip link add br0 type bridge
ip addr add "$GATEWAY" dev br0
ip link set br0 up
# The gateway forwards to nowhere: a host that looks for the world is told at once that there is none.
echo 1 > /proc/sys/net/ipv4/ip_forward
echo here
exec sleep infinity > /dev/null
