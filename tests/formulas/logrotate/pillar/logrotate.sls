logrotate:
  global: [rotate 8, 'create 0640 root {{ "adm" if grains['os'] == "Debian" else "root" }}', compress]
  jobs:
    simple: /var/log/simple.log
    app:
      path: [/var/log/app/*.log, /var/log/app/*.err]
      config: {daily: ~, size: 100M, maxage: 30, create: 0640 app adm}
      postrotate: |
        if [ -f /run/app.pid ]; then
            kill -USR1 $(cat /run/app.pid)
        fi
    nothing: {path: "/x y", config: {}}
