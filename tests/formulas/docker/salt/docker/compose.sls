{%- from 'docker/map.jinja' import docker with context %}
{%- for name, stack in docker.compose.items() %}
docker-compose-{{ name }}:
  file.serialize:
    - name: /srv/{{ name }}/docker-compose.yml
    - dataset: {{ {'services': stack} | json }}
    - formatter: yaml
    - makedirs: True
  cmd.run:
    - name: docker compose up -d
    - cwd: /srv/{{ name }}
    - unless: {{ 'test "$(docker compose ps -q | wc -l)" -ge %d' | format(stack | length) | yaml_squote }}
    - require: [{service: docker-service}, {file: docker-compose-{{ name }}}]
{%- endfor %}
