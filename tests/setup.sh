#!/bin/bash
# Installs with apt-get what the tests use and this machine lacks. Quiet, and instant when nothing is missing.
set -euo pipefail

# program:package
wanted="
  debootstrap:debootstrap sshd:openssh-server ssh:openssh-client ssh-keygen:openssh-client
  ip:iproute2 ping:iputils-ping nft:nftables
  unshare:util-linux nsenter:util-linux setpriv:util-linux pivot_root:util-linux mkfs.ext4:e2fsprogs
  strace:strace git:git sudo:sudo gzip:gzip nm:binutils cc:gcc
  openssl:openssl curl:curl
  gpg:gpg gpg-agent:gpg-agent age:age
  dpkg-deb:dpkg setfacl:acl getfattr:attr time:time vagrant:vagrant
"
PATH=$PATH:/usr/sbin:/sbin
missing=
for pair in $wanted; do
  # `time` is a word of the shell as well: only a file counts.
  type -P "${pair%%:*}" > /dev/null || missing="$missing ${pair##*:}"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
  echo "setup: these packages are missing and installing them needs root:$missing" >&2
  exit 1
fi
echo "setup: installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# An index of another repository that cannot be fetched is no reason to stop: the install below is the judge.
apt-get -qq update > "$log" 2>&1 || true
# A fresh sshd must not start on this machine: the tests run their own, elsewhere.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' > "$policy"
  chmod +x "$policy"
  trap 'rm -f "$log" "$policy"' EXIT
fi
# shellcheck disable=SC2086
apt-get -qq -y -o Dpkg::Use-Pty=0 --no-install-recommends install $missing >> "$log" 2>&1 || { tail -n 30 "$log" >&2; exit 1; }
