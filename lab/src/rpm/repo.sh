#!/bin/bash
# Fills a repository for hosts of Red Hat's world: real daemons repackaged from Debian's, and small packages of our own.
# Runs inside the image. In: /mnt/debs (Debian's packages). Out: /mnt/lab, /mnt/nginx, /mnt/grafana (repositories),
# /mnt/files and /mnt/npm (what the lab's file server offers). In also: /mnt/npm-itself (the package npm of npm's registry).
set -euo pipefail
work=/tmp/work
mkdir -p $work /mnt/lab /mnt/nginx /mnt/grafana /mnt/files

build() { # repository, spec: one package; the tree it is made of lies in $work/NAME where the spec says so
  rpmbuild -bb --quiet --define "_topdir $work/build" --define "_rpmdir $work/rpms" --define '__os_install_post %{nil}' \
    --define '_build_id_links none' "$2" 2> $work/err || { tail -n 20 $work/err >&2; exit 1; }
  find $work/rpms -name '*.rpm' -exec mv -t "/mnt/$1" {} +
}

# --- Debian's packages -------------------------------------------------------------------------------------------------

deb() { # name: the file
  find /mnt/debs -name "$1_*.deb" | head -n 1
}

field() { dpkg-deb -f "$(deb "$1")" "$2"; }

unpacked() { # name: unpacks it below $work/NAME in the places an rpm would use
  local tree=$work/$1 dir
  mkdir -p "$tree"
  dpkg-deb -x "$(deb "$1")" "$tree"
  rm -rf "$tree"/usr/share/{doc,man,locale,lintian,bug,info} "$tree"/etc/init.d
  # /bin, /sbin and /lib are links here, which a package must not replace.
  for dir in bin sbin lib lib64; do
    [ -d "$tree/$dir" ] || continue
    mkdir -p "$tree/usr/$dir"
    cp -a "$tree/$dir/." "$tree/usr/$dir/"
    rm -rf "${tree:?}/$dir"
  done
}

requires() { # name: which of the packages at hand it depends on
  field "$1" Depends | tr ',' '\n' | sed 's/|.*//; s/(.*//; s/:any//; s/ //g' | while read -r one; do
    [ -z "$(deb "$one")" ] || echo "Requires: $one"
  done
}

packed() { # repository, name, scripts, more lines of the head: makes the rpm of $work/NAME with the name's version in Debian
  local tree=$work/$2 version epoch='' release=1 arch=x86_64 conf unit units='' tmpfiles='' lines
  version=$(field "$2" Version)
  [ "$(field "$2" Architecture)" != all ] || arch=noarch
  case $version in *:*) epoch="Epoch: ${version%%:*}" version=${version#*:} ;; esac
  case $version in *-*) release=${version##*-} version=${version%-*} ;; esac
  conf=$(cd "$tree" && find etc -type f 2> /dev/null | sed 's|^|/|' || true)
  for unit in "$tree"/usr/lib/systemd/system/*.service; do
    case $unit in *'*'* | *@*) ;; *) units="$units ${unit##*/}" ;; esac
  done
  [ ! -d "$tree/usr/lib/tmpfiles.d" ] || tmpfiles=' && systemd-tmpfiles --create'
  {
    printf 'Name: %s\nVersion: %s\nRelease: %s.el9\n%s\n' "$2" "$version" "$release" "$epoch"
    printf 'BuildArch: %s\nSummary: %s, as Debian builds it\nLicense: as Debian says\nAutoReqProv: no\n' "$arch" "$2"
    requires "$2"
    echo "${4:-}"
    printf '%%description\nRepackaged.\n'
    printf '%%install\nmkdir -p %%{buildroot}\ncp -a %s/. %%{buildroot}/\n' "$tree"
    echo "$3"
    if [ -n "$units" ]; then
      printf '%%post\n[ ! -d /run/systemd/system ] || { systemctl daemon-reload%s; } || :\n' "$tmpfiles"
      printf '%%preun\n[ $1 -gt 0 ] || systemctl disable --now%s || :\n' "$units"
      printf '%%postun\n[ ! -d /run/systemd/system ] || systemctl daemon-reload || :\n'
    fi
    echo '%files'
    (cd "$tree" && find . \( -type f -o -type l \)) | sed 's/^\.//' | sort | while read -r line; do
      if grep -qxF -- "$line" <<< "$conf"; then echo "%config(noreplace) \"$line\""; else echo "\"$line\""; fi
    done
    # Directories of the package's own; those of the system are nobody's.
    (cd "$tree" && find . -mindepth 1 -type d) | sed 's/^\.//' | sort | while read -r line; do
      [ -d "$line" ] || echo "%dir \"$line\""
    done
  } > "$work/$2.spec"
  build "$1" "$work/$2.spec"
  rm -rf "$tree"
}

account() { # name, home: the lines that make it
  printf '%%pre\ngetent group %s > /dev/null || groupadd -r %s\n' "$1" "$1"
  printf 'getent passwd %s > /dev/null || useradd -r -g %s -d %s -s /sbin/nologin %s\nexit 0\n' "$1" "$1" "$2" "$1"
}

unpacked haproxy
rm -rf $work/haproxy/etc/{default,rsyslog.d}
mkdir -p $work/haproxy/var/lib/haproxy
# Settings whose last line has no end were fine for the haproxy of the years these trees are from; today's refuses them.
cat > $work/haproxy/usr/lib/systemd/system/haproxy.service << 'END'
[Unit]
Description=HAProxy Load Balancer
After=network-online.target
Wants=network-online.target

[Service]
EnvironmentFile=-/etc/sysconfig/haproxy
ExecStartPre=/bin/sh -c '{ cat /etc/haproxy/haproxy.cfg; echo; } > /run/haproxy.cfg'
ExecStartPre=/usr/sbin/haproxy -f /run/haproxy.cfg -c -q $OPTIONS
ExecStart=/usr/sbin/haproxy -Ws -f /run/haproxy.cfg -p /run/haproxy.pid $OPTIONS
ExecReload=/bin/sh -c '{ cat /etc/haproxy/haproxy.cfg; echo; } > /run/haproxy.cfg'
ExecReload=/usr/sbin/haproxy -f /run/haproxy.cfg -c -q $OPTIONS
ExecReload=/bin/kill -USR2 $MAINPID
KillMode=mixed
SuccessExitStatus=143
Type=notify

[Install]
WantedBy=multi-user.target
END
packed lab haproxy "$(account haproxy /var/lib/haproxy)"

unpacked keepalived
mkdir -p $work/keepalived/etc/keepalived
printf '! Configuration File for keepalived\n\nglobal_defs {\n   router_id LVS_DEVEL\n}\n' > $work/keepalived/etc/keepalived/keepalived.conf
packed lab keepalived ''

unpacked rsyslog
mkdir -p $work/rsyslog/{etc/rsyslog.d,var/lib/rsyslog,var/spool/rsyslog}
printf 'global(workDirectory="/var/lib/rsyslog")\ninclude(file="/etc/rsyslog.d/*.conf" mode="optional")\n' > $work/rsyslog/etc/rsyslog.conf
printf '*.info;mail.none;authpriv.none;cron.none /var/log/messages\n' >> $work/rsyslog/etc/rsyslog.conf
# There it takes what programs send it, and is not started by a socket.
sed -i '/^Requires=syslog.socket/d; /^Alias=/d; s|^ExecStart=.*|ExecStart=/usr/sbin/rsyslogd -n|' $work/rsyslog/usr/lib/systemd/system/rsyslog.service
packed lab rsyslog ''

# As nginx's own packages lay it out, not Debian's.
unpacked nginx
unpacked nginx-common
mime=$work/mime.types
cp $work/nginx-common/etc/nginx/mime.types "$mime"
rm -rf $work/nginx/etc $work/nginx-common
mkdir -p $work/nginx/{etc/nginx/conf.d,usr/share/nginx/html,usr/lib/systemd/system,var/cache/nginx,var/lib/nginx,var/log/nginx,usr/lib/nginx/modules}
mv "$mime" $work/nginx/etc/nginx/mime.types
cat > $work/nginx/etc/nginx/nginx.conf << 'END'
user  nginx;
worker_processes  auto;
error_log  /var/log/nginx/error.log notice;
pid        /run/nginx.pid;

events {
    worker_connections  1024;
}

http {
    include       /etc/nginx/mime.types;
    default_type  application/octet-stream;
    access_log  /var/log/nginx/access.log;
    sendfile        on;
    keepalive_timeout  65;
    include /etc/nginx/conf.d/*.conf;
}
END
cat > $work/nginx/etc/nginx/conf.d/default.conf << 'END'
server {
    listen       80;
    server_name  localhost;

    location / {
        root   /usr/share/nginx/html;
        index  index.html index.htm;
    }
}
END
echo '<h1>Welcome to nginx!</h1>' > $work/nginx/usr/share/nginx/html/index.html
cat > $work/nginx/usr/lib/systemd/system/nginx.service << 'END'
[Unit]
Description=nginx - high performance web server
After=network-online.target remote-fs.target nss-lookup.target
Wants=network-online.target

[Service]
Type=forking
PIDFile=/run/nginx.pid
ExecStart=/usr/sbin/nginx -c /etc/nginx/nginx.conf
ExecReload=/bin/sh -c "/bin/kill -s HUP $(/bin/cat /run/nginx.pid)"
ExecStop=/bin/sh -c "/bin/kill -s TERM $(/bin/cat /run/nginx.pid)"

[Install]
WantedBy=multi-user.target
END
packed nginx nginx "$(account nginx /var/cache/nginx)" 'Provides: nginx-common'

# What the release pages of two projects have, in the same layout.
release() { # name, version, Debian's package, files of it
  local name=$1-$2.linux-amd64 file
  unpacked "$3"
  mkdir -p "$work/$name"
  for file in "${@:4}"; do cp -aL "$work/$3/$file" "$work/$name/${file##*/}"; done
  [ ! -e "$work/$name/prometheus-$1" ] || mv "$work/$name/prometheus-$1" "$work/$name/$1"
  [ ! -e "$work/$name/prometheus-node-exporter" ] || mv "$work/$name/prometheus-node-exporter" "$work/$name/node_exporter"
  mkdir -p "/mnt/files/prometheus/$1/releases/download/v$2"
  tar -C $work --owner=3434 --group=3434 --numeric-owner -czf "/mnt/files/prometheus/$1/releases/download/v$2/$name.tar.gz" "$name"
  rm -rf "${work:?}/$name" "${work:?}/$3"
}
release node_exporter 0.18.1 prometheus-node-exporter usr/bin/prometheus-node-exporter
release prometheus 2.14.0 prometheus usr/bin/prometheus usr/bin/promtool etc/prometheus/consoles etc/prometheus/console_libraries

# With npm inside, as the project's own package has it.
unpacked nodejs
mkdir -p $work/nodejs/usr/lib/node_modules/npm $work/nodejs/usr/bin
tar -C $work/nodejs/usr/lib/node_modules/npm --strip-components=1 --no-same-owner -xzf /mnt/npm-itself/npm/-/npm-*.tgz
for name in npm npx; do ln -s ../lib/node_modules/npm/bin/$name-cli.js $work/nodejs/usr/bin/$name; done
packed lab nodejs ''

# Packages for npm, of the names a tree asks for and with nothing in them.
for name in express mysql ejs morgan winston winston-daily-rotate-file app-root-path forever; do
  mkdir -p "$work/package" "/mnt/npm/$name/-"
  echo "{\"name\": \"$name\", \"version\": \"1.0.0\"}" > "$work/package/package.json"
  tar -C $work -czf "/mnt/npm/$name/-/$name-1.0.0.tgz" package
  sum=$(openssl dgst -sha512 -binary "/mnt/npm/$name/-/$name-1.0.0.tgz" | base64 -w 0)
  printf '{"name": "%s", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": {"name": "%s", "version": "1.0.0",
    "dist": {"integrity": "sha512-%s", "tarball": "http://registry.lab.invalid/%s/-/%s-1.0.0.tgz"}}}}' \
    "$name" "$name" "$sum" "$name" "$name" > "/mnt/npm/$name/package"
done

# Everything else that is needed goes along under Debian's name.
for file in /mnt/debs/*.deb; do
  name=$(dpkg-deb -f "$file" Package)
  case $name in haproxy | keepalived | rsyslog | nodejs | nginx | nginx-* | libnginx-* | prometheus* ) continue ;; esac
  unpacked "$name"
  packed lab "$name" ''
done

# --- our own -----------------------------------------------------------------------------------------------------------

small() { # name, version, more spec lines: a program that says its version, and its settings
  cat > "$work/$1.spec" << END
Name: $1
Version: $2
Release: 1
Summary: A package to be managed
License: MIT
BuildArch: noarch
AutoReqProv: no
$3
%description
A package to be managed.
%install
mkdir -p %{buildroot}/usr/bin %{buildroot}/etc %{buildroot}/usr/lib/systemd/system
printf '#!/bin/sh\necho $2\n' > %{buildroot}/usr/bin/$1
chmod 755 %{buildroot}/usr/bin/$1
printf 'level = $2\n' > %{buildroot}/etc/$1.conf
$4
%files
/usr/bin/$1
%config(noreplace) /etc/$1.conf
$5
END
  build "${6:-lab}" "$work/$1.spec"
}
# Two versions and settings that differ: upgrade, downgrade, hold, kept changes.
small lab-tool 1.0 'Epoch: 1' '' ''
small lab-tool 2.0 'Epoch: 1' '' ''
# Brings another package with it.
small lab-extra 1.0 'Requires: lab-tool' '' ''
# Takes the place of another.
small lab-old 1.0 '' '' ''
small lab-new 1.0 'Obsoletes: lab-old < 2' '' ''
# Cannot be installed.
small lab-broken 1.0 '' '' $'%pre\necho "lab-broken: no" >&2\nexit 1'
# Is not done until /run/lab-go exists: the moment to pull the plug.
small lab-slow 1.0 '' '' $'%post\n: > /run/lab-slow\ni=0\nwhile [ ! -e /run/lab-go ] && [ $i -lt 600 ]; do sleep 0.05; i=$((i + 1)); done'

# A stand-in for a program that Debian has not: it answers where the real one does, signed as the real one is.
cat > $work/grafana.service << 'END'
[Unit]
Description=Grafana instance (a stand-in)
After=network-online.target

[Service]
User=grafana
ExecStart=/usr/bin/python3 -m http.server --directory /usr/share/grafana/public 3000

[Install]
WantedBy=multi-user.target
END
small grafana 6.4.4 'Requires: shadow-utils' "mkdir -p %{buildroot}/usr/share/grafana/public
echo '{\"database\": \"ok\", \"version\": \"6.4.4\"}' > %{buildroot}/usr/share/grafana/public/index.html
install -m 644 $work/grafana.service %{buildroot}/usr/lib/systemd/system/grafana-server.service" "/usr/share/grafana
/usr/lib/systemd/system/grafana-server.service
$(account grafana /usr/share/grafana)
%post
[ ! -d /run/systemd/system ] || systemctl daemon-reload || :
%preun
[ \$1 -gt 0 ] || systemctl disable --now grafana-server || :
%postun
[ ! -d /run/systemd/system ] || systemctl daemon-reload || :" grafana
export GNUPGHOME=$work/keys
mkdir -m 700 $GNUPGHOME
gpg --batch --quiet --passphrase '' --quick-generate-key 'lab <lab@example.org>' rsa2048 sign never 2> /dev/null
gpg --armor --export > /mnt/grafana/gpg.key
rpmsign --addsign --define '__gpg /usr/bin/gpg' --define '_gpg_name lab' /mnt/grafana/*.rpm > /dev/null

for repo in lab nginx grafana; do createrepo_c -q "/mnt/$repo"; done
gpg --batch --quiet --detach-sign --armor /mnt/grafana/repodata/repomd.xml
gpgconf --kill all 2> /dev/null || :
