# The last touches that make a Debian userland a host of Red Hat's world: its face, its package manager's settings, and
# one package that tells rpm what the userland below provides.
# In: root (where the image is mounted).

# What the repository brings must not be there already.
chroot "$root" dpkg --purge wget git git-man > /dev/null

rm -f "$root/etc/os-release"
cat > "$root/etc/os-release" << 'END'
NAME="Rocky Linux"
VERSION="9.4 (Blue Onyx)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.4"
PLATFORM_ID="platform:el9"
PRETTY_NAME="Rocky Linux 9.4 (Blue Onyx)"
END
echo 'Rocky Linux release 9.4 (Blue Onyx)' > "$root/etc/rocky-release"
ln -sf rocky-release "$root/etc/redhat-release"

# Debian's rpm keeps its database in the home of whoever calls it.
mkdir -p "$root"/etc/{rpm,dnf/vars,yum.repos.d} "$root/var/lib/rpm" "$root/etc/pki/tls/certs"
echo '%_dbpath /var/lib/rpm' > "$root/etc/rpm/macros"
echo 9 > "$root/etc/dnf/vars/releasever"
cat > "$root/etc/dnf/dnf.conf" << 'END'
[main]
gpgcheck=1
installonly_limit=3
clean_requirements_on_remove=True
best=True
skip_if_unavailable=False
END
# These answer to programs that are not here.
for plugin in local copr debuginfo-install post-transaction-actions; do
  [ ! -e "$root/etc/dnf/plugins/$plugin.conf" ] || printf '[main]\nenabled = 0\n' > "$root/etc/dnf/plugins/$plugin.conf"
done
printf '[lab]\nname=lab\nbaseurl=file:///srv/lab-repo/lab\nenabled=1\ngpgcheck=0\n' > "$root/etc/yum.repos.d/lab.repo"
ln -s ../../../ssl/certs/ca-certificates.crt "$root/etc/pki/tls/certs/ca-bundle.crt"
ln -sf dnf "$root/usr/bin/yum"

cat > "$root/tmp/base.spec" << 'END'
Name: lab-base
Version: 9.4
Release: 1
Summary: What the userland below provides
License: MIT
BuildArch: noarch
Provides: /bin/sh
Provides: /bin/bash
Provides: bash
Provides: systemd
Provides: shadow-utils
Provides: system-release = 9.4
Provides: system-release(releasever) = 9
%description
Stands for the base system.
%files
END
chroot "$root" rpmbuild -bb --quiet --define '_topdir /tmp/build' --define '_rpmdir /tmp' /tmp/base.spec
chroot "$root" rpm -i /tmp/noarch/lab-base-9.4-1.noarch.rpm
rm -rf "$root"/tmp/{base.spec,build,noarch}
