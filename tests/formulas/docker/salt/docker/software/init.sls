{%- from 'docker/map.jinja' import docker with context %}
{%- if docker.pkg.use_repo %}
docker-repo:
  pkgrepo.managed:
    {{ docker.pkg.repo | dict_to_sls_yaml_params | indent }}
{%- endif %}
docker-packages:
  pkg.installed:
    - pkgs:
      - {{ docker.pkg.name }}{% if docker.pkg.version is defined %}: {{ docker.pkg.version | yaml_squote }}{% endif %}
      - containerd.io
    - aggregate: true
    {%- if docker.pkg.use_repo %}
    - require: [{pkgrepo: docker-repo}]
    {%- endif %}
{%- if 'conflicts' in docker.pkg %}
docker-conflicts:
  pkg.removed:
    - pkgs: {{ docker.pkg.conflicts }}
    - prereq: [{pkg: docker-packages}]
{%- endif %}
