docker:
  pkg: {version: '5:24.0.7-1~{{ grains.os | lower }}'}
  proxy: {http: 'http://proxy.example:3128/%20', 'no': localhost}
  clean: {{ grains['os_family'] == 'RedHat' }}
  compose:
    wiki: {web: {image: 'wiki:2', ports: ['80:3000'], environment: {A: "yes", B: 1}}, db: {image: postgres}}
