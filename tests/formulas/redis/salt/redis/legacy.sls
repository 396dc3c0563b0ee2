redis-legacy:
  file.absent: [{name: /etc/redis.conf}]
