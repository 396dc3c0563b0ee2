users:
  lookup: {mode: '0700'}
  people:
    ann: ~
    bob:
      fullname: 'Bob "the" Builder'
      uid: 1501
      password: $6$rounds=5000$x$y
      sudo: true
      groups: [users2, adm]
      group: {name: staff, gid: 500}
      defaults: {'!requiretty': true, timestamp_timeout: 5}
      rules: ['ALL=(root) /usr/bin/find', 'ALL=(other) NOPASSWD: /usr/bin/x']
      keys: {present: [ssh-ed25519 AAAA bob@x], absent: [ssh-rsa BBBB]}
      expire: 15000
      remove_groups: no
    eve: {createhome: false, shell: /bin/false, expire: 16426, home: /srv/eve}
    mal: {absent: true, purge: yes, force: True}
    zed: {absent: true}
