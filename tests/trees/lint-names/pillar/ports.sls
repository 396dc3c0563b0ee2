include: [nosuch]
http: 80
