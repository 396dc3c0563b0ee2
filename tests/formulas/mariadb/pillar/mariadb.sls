mariadb:
  lookup: {service: mariadb.service, winner: lookup}
  config: {sections: {mysqld: {max_connections: 500, innodb_buffer_pool_size: 1G}, client: {ssl: 'on'}}}
  databases: [shop, {name: wiki, character_set: utf8mb4}]
  users:
    app:
      password: "s3 cret"
      hosts: [localhost, '192.0.2.%']
      databases:
        - {database: shop, grants: [select, insert]}
        - {database: wiki, table: page, grant_option: true}
    backup: {host: '::1'}
  overrides: {winner: overrides, list: [1, 2]}
