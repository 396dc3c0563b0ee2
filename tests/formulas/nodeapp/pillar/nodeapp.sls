#!yaml
nodeapp:
  build: [python3]
  apps:
    shop: {repo: 'https://git.example/shop.git', port: 3000, env: {db: {host: db1, ports: [1, 2]}, debug: false, empty: null}, secret: "A=1\n"}
    Blog: {repo: 'https://git.example/blog.git', rev: v1.2, port: 3001, after: [mariadb, redis], force: true, secret: B=2}
