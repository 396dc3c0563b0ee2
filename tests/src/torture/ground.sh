#!/bin/bash
# First process of a cheap host, in fresh mount, process, host name, IPC and network namespaces: an overlay over the base
# image, the file systems every program expects, and no init system. All mounts go with the namespace.
# In: BASE (image), DISK (directory with upper and work), ROOT (mount point), TOOLS (agent and strace), REPO, SYNC (mount option).
set -eu
mount --make-rprivate /
# A disk of its own: commits are put off as long as they can be, and a rename does not write data out.
if [ -e "$DISK/disk.img" ]; then
  mkdir -p "$DISK/disk"
  mount -o loop,commit=300,noauto_da_alloc "$DISK/disk.img" "$DISK/disk"
  DISK=$DISK/disk
  mkdir -p "$DISK/upper" "$DISK/work"
fi
mount -t overlay overlay -o "lowerdir=$BASE,upperdir=$DISK/upper,workdir=$DISK/work$SYNC" "$ROOT"
mount -t proc -o nosuid,nodev,noexec proc "$ROOT/proc"
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$ROOT/sys"
mount -t tmpfs -o nosuid,mode=755,size=1m tmpfs "$ROOT/dev"
for node in null zero full random urandom tty; do
  : > "$ROOT/dev/$node"
  mount --bind "/dev/$node" "$ROOT/dev/$node"
done
ln -s /proc/self/fd "$ROOT/dev/fd"
mkdir "$ROOT/dev/shm"
mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs "$ROOT/run"
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs "$ROOT/tmp"
mkdir "$ROOT/run/torture" "$ROOT/run/lock"
mount --bind "$TOOLS" "$ROOT/run/torture"
mkdir "$ROOT/run/disk"
mount --bind "$DISK" "$ROOT/run/disk"
mkdir -p "$ROOT/srv/lab-repo"
mount --bind "$REPO" "$ROOT/srv/lab-repo"
# Of the kernel's settings only net.* belongs to this namespace.
mount --bind "$ROOT/proc/sys" "$ROOT/proc/sys"
mount --bind "$ROOT/proc/sys/net" "$ROOT/proc/sys/net"
mount -o remount,bind,ro "$ROOT/proc/sys"
hostname torture
ip link set lo up
# It says when all is there, collects orphans as the first process must, and ends when nobody holds its input any more.
exec chroot "$ROOT" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin bash -c 'echo here
  while read -t 0.2 -r _ || [ $? -gt 128 ]; do :; done'
