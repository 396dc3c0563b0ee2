{%- from 'docker/map.jinja' import docker with context %}
include:
  - docker.software
  - base: docker.config
  {%- if docker.compose %}
  - docker.compose
  {%- endif %}
docker-service:
  service.running:
    - name: docker
    - enable: true
    - unmask: true
    - failhard: True
    - listen: [{file: docker-daemon}]
    - require: [{sls: docker.software}, {sls: 'docker.conf*'}]
