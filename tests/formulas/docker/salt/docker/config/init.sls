{%- from 'docker/map.jinja' import docker with context %}
docker-daemon:
  file.managed:
    - name: /etc/docker/daemon.json
    - makedirs: true
    - contents: |
        {{ docker.daemon | json(indent=2) | indent(8) }}
docker-proxy:
  file.{{ 'managed' if docker.proxy is defined else 'absent' }}:
    - name: /etc/systemd/system/docker.service.d/proxy.conf
    {%- if docker.proxy is defined %}
    - contents:
      {%- for key, value in docker.proxy.items() | sort(reverse=true) %}
      - Environment="{{ key | upper }}_PROXY={{ value | replace('%', '%%') }}"
      {%- endfor %}
    {%- endif %}
