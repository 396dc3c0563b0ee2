#!/bin/bash
# Builds the base image below $OUT. Runs in a mount namespace of its own; $OUT is the upper of an overlay mounted
# "volatile", which turns the thousands of fsync calls of dpkg into nothing.
# In: OUT, WORK (scratch on the same file system), DEBS (download cache), SUITE, MIRROR, SECURITY, PACKAGES (comma separated),
# FINISH (a script with the last touches of this kind of image).
set -euo pipefail
rm -rf "$WORK"
mkdir -p "$OUT" "$WORK"/{empty,work,root} "$DEBS"
root=$WORK/root
mount -t overlay overlay -o "lowerdir=$WORK/empty,upperdir=$OUT,workdir=$WORK/work,volatile" "$root"

# dpkg reads this before the first package is unpacked, so that documentation is never written.
mkdir -p "$root/etc/dpkg/dpkg.cfg.d"
printf 'path-exclude=/usr/share/%s/*\n' doc man locale info > "$root/etc/dpkg/dpkg.cfg.d/lab"
echo force-unsafe-io >> "$root/etc/dpkg/dpkg.cfg.d/lab"

debootstrap --variant=minbase --cache-dir="$DEBS" --include="$PACKAGES" "$SUITE" "$root" "$MIRROR" > "$WORK/log" 2>&1 ||
  { tail -n 20 "$WORK/log" >&2; exit 1; }

# The sources used while the package repository is filled; a host gets the local repository instead.
printf 'deb %s %s main\n' "$MIRROR" "$SUITE" > "$root/etc/apt/sources.list"
[ "$SUITE" = sid ] ||
  printf 'deb %s %s main\n' "$MIRROR" "$SUITE-updates" "$SECURITY" "$SUITE-security" >> "$root/etc/apt/sources.list"
printf '%s\n' 'Acquire::Languages "none";' 'APT::Install-Recommends "false";' 'Dpkg::Use-Pty "false";' > "$root/etc/apt/apt.conf.d/90lab"
# What this machine trusts besides the common authorities, hosts trust as well (a proxy that signs, for one).
for crt in /usr/local/share/ca-certificates/*.crt; do
  [ -e "$crt" ] || continue
  cp -L "$crt" "$root/usr/local/share/ca-certificates/"
done
chroot "$root" update-ca-certificates > /dev/null 2>&1

# A template: nothing in it may identify a single host. Host keys are written per host, never learnt.
rm -f "$root"/etc/ssh/ssh_host_* "$root/etc/hostname" "$root/etc/resolv.conf"
: > "$root/etc/machine-id"
: > "$root/etc/resolv.conf"
printf '%s\n' 'PermitRootLogin prohibit-password' 'PasswordAuthentication no' 'UseDNS no' \
  'HostKey /etc/ssh/ssh_host_ed25519_key' 'MaxStartups 100:30:200' > "$root/etc/ssh/sshd_config.d/lab.conf"
# Units that make no sense here, would take the apt lock behind a test's back, or (user@) eat inotify instances,
# of which all hosts of a machine share one pool.
for unit in console-getty.service getty.target apt-daily.timer apt-daily-upgrade.timer user@.service \
            dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer systemd-udevd.service \
            systemd-timesyncd.service systemd-hwdb-update.service; do
  ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
mkdir -p "$root/etc/systemd/journald.conf.d"
printf '[Journal]\nSystemMaxUse=32M\n' > "$root/etc/systemd/journald.conf.d/lab.conf"
# A user who is not root but may become root, for tests of `sudo`.
chroot "$root" useradd --create-home --shell /bin/bash admin
printf 'admin ALL=(ALL) NOPASSWD: ALL\n' > "$root/etc/sudoers.d/admin"
chmod 440 "$root/etc/sudoers.d/admin"

export root
bash -euo pipefail -c "$FINISH"

chroot "$root" apt-get clean
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/log/*.log "$root"/var/log/apt/* "$root"/usr/share/{doc,man,locale,info}/*
umount "$root"
rm -rf "$WORK"
