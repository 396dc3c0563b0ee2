#!/bin/bash
# First process of a host: in fresh pid, mount, uts, ipc, cgroup and network namespaces it builds the root file system
# and becomes systemd (or a small shell that keeps sshd). All mounts live in this mount namespace only: when the first
# process dies the kernel drops them, so there is nothing to unmount outside.
# In: KIND (systemd, light), NAME, BASE (image), REPO (package repository), DISK (directory of this host), ROOT (mount point).
# Says "here" on its output once the namespaces exist and reads one line before it goes on: the cable is in by then.
set -eu
echo here
mount --make-rprivate /

# 1. The root: the shared image below, this host's own changes above. A host with a small disk keeps them on a small
#    ext4, where syncing means something; for the others "volatile" skips it, and its mark of an unclean end must go before
#    the next start. redirect_dir makes a directory of the image renameable, as on a real disk.
up=$DISK
sync=,volatile
if [ -e "$DISK/disk.img" ]; then
  up=$DISK/ext4
  mkdir -p "$up"
  mount -o loop "$DISK/disk.img" "$up"
  mkdir -p "$up/upper" "$up/work"
  cp -an "$DISK/upper/." "$up/upper/"
  sync -f "$up"
  sync=
fi
rm -rf "$up/work/work/incompat"
mount -t overlay overlay -o "lowerdir=$BASE,upperdir=$up/upper,workdir=$up/work,redirect_dir=on$sync" "$ROOT"

# 2. The file systems systemd expects of whoever starts it in a container.
mount -t proc -o nosuid,nodev,noexec proc "$ROOT/proc"
mount -t sysfs -o nosuid,nodev,noexec sysfs "$ROOT/sys"
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$ROOT/sys/fs/cgroup"
mount -t tmpfs -o nosuid,mode=755,size=1m tmpfs "$ROOT/dev"
for node in null zero full random urandom tty fuse net/tun; do
  [ -e "/dev/$node" ] || continue
  mkdir -p "$(dirname "$ROOT/dev/$node")"
  : > "$ROOT/dev/$node"
  mount --bind "/dev/$node" "$ROOT/dev/$node"
done
mkdir -p "$ROOT"/dev/{pts,shm,mqueue}
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$ROOT/dev/pts"
ln -s pts/ptmx "$ROOT/dev/ptmx"
ln -s /proc/self/fd "$ROOT/dev/fd"
for i in 0:stdin 1:stdout 2:stderr; do ln -s "fd/${i%:*}" "$ROOT/dev/${i#*:}"; done
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs "$ROOT/dev/shm"
mount -t mqueue mqueue "$ROOT/dev/mqueue"
: >> "$DISK/console.log"
: > "$ROOT/dev/console"
mount --bind "$DISK/console.log" "$ROOT/dev/console"
mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs "$ROOT/run"
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs "$ROOT/tmp"
if [ -n "$REPO" ]; then
  mkdir -p "$ROOT/srv/lab-repo"
  mount --bind "$REPO" "$ROOT/srv/lab-repo"
  mount -o remount,bind,ro "$ROOT/srv/lab-repo"
fi

# 3. Walls round the machine's kernel: of its settings only net.*, which each network namespace has for itself, stay
#    writable; a boot id of its own, as each boot of a real machine has.
mount --bind "$ROOT/proc/sys" "$ROOT/proc/sys"
mount --bind "$ROOT/proc/sys/net" "$ROOT/proc/sys/net"
mount -o remount,bind,ro "$ROOT/proc/sys"
cat /proc/sys/kernel/random/uuid > "$DISK/boot_id"
mount --bind "$DISK/boot_id" "$ROOT/proc/sys/kernel/random/boot_id"
mount -o remount,bind,ro "$ROOT/sys"
[ ! -e "$ROOT/proc/sysrq-trigger" ] || mount --bind /dev/null "$ROOT/proc/sysrq-trigger"
hostname "$NAME"

# 4. Wait for the cable, turn into the host. The clock has no namespace, so the right to set it is dropped together
#    with everything else that reaches beyond the host.
read -r _
cd "$ROOT"
pivot_root . mnt
if [ "$KIND" = systemd ]; then
  first='exec /lib/systemd/systemd --show-status=1'
else
  # Waiting here also collects orphans, as the first process must.
  first='mkdir -p -m 755 /run/sshd; /usr/sbin/sshd -D -e -o UsePAM=no & wait $!'
fi
exec chroot . /bin/sh -c 'umount -l /mnt
  exec env -i container=lab PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin setpriv \
    --bounding-set=-sys_time,-sys_module,-sys_rawio,-mknod,-syslog,-wake_alarm,-block_suspend,-mac_admin,-mac_override,-bpf,-perfmon \
    /bin/sh -c "$1"' sh "$first" < /dev/null > /dev/console 2>&1
