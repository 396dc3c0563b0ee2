key:
  cmd.run:
    - name: openssl genrsa -out /etc/key.pem

reload:
  cmd.run:
    - name: systemctl daemon-reload
    - onchanges:
      - file: /usr/local/bin/tool

/usr/local/bin/tool:
  file.managed:
    - source: https://example.org/tool

/opt/other:
  archive.extracted:
    - source: https://example.org/other.tar.gz
    - skip_verify: true

# salt-rs: allow unguarded-command, piped-download
install:
  cmd.run:
    - name: curl -fsSL https://example.org/install.sh | sh  # salt-rs: allow piped-download

again:
  cmd.run:
    - name: date  # salt-rs: allow octal-mode, ungarded-command
