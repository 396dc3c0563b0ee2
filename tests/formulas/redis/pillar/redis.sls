redis:
  memory: {{ 512 * grains.num_cpus }}
  instances:
    queue: {port: 6380, appendonly: true, maxmemory: 1gb, rename-command: ['FLUSHALL ""', [CONFIG, '""']]}
    cache: {port: 6379, maxmemory-policy: allkeys-lru, save: ''}
