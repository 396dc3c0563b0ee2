{%- from 'docker/map.jinja' import clean with context %}
{%- if clean %}
include: [docker]
docker-clean:
  service.dead: [{name: docker}, {enable: false}]
{%- endif %}
