sshd_config: {PermitRootLogin: 'no', AuthorizedKeysFile: '%h/.ssh/keys', HostKey: [/etc/ssh/a, /etc/ssh/b], Match: {Group: {sftp: {ChrootDirectory: /sftp/%u, X11Forwarding: no}}}}
openssh:
  lookup: {binary: /usr/local/sbin/sshd}
  keys: [rsa]
  size: {rsa: 4096}
  provide: {ecdsa: {private: "-----BEGIN\nxyz\n", public: ecdsa AAAA}}
  known: {hosts: {a: 1, b: [x, 'y z']}}
  auth:
    joe-desktop:
      - {user: joe, present: true, enc: ssh-ed25519, comment: main desktop, options: [no-pty, 'from="*"'], name: AAAAC3Nz}
    joe-old: [{user: joe, present: false, name: AAAAB3dead}]
    jim: [{present: true, source: 'salt://keys/jim.pub'}]
