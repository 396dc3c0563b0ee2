{%- from 'nginx/map.jinja' import nginx, block with context %}
nginx-package:
  pkg.installed:
    {{- block(nginx.opts) }}
    {% if nginx.lookup.package is iterable and nginx.lookup.package is not string %}
    - pkgs:
      {% for one in nginx.lookup.package %}
      - {{ one }}
      {% endfor %}
    {% else %}
    - name: {{ nginx.lookup.package }}
    {% endif %}

{% if grains['os_family'] == 'Debian' %}
nginx-repo:
  pkgrepo:
    - {{ 'managed' if nginx.repo else 'absent' }}
    - name: deb [signed-by=/usr/share/keyrings/nginx.gpg] http://nginx.example/{{ grains['os'].lower() }}/ {{ grains['oscodename'] }} nginx
    - file: /etc/apt/sources.list.d/nginx-{{ grains['oscodename'] }}.list
    - require_in:
      - pkg: nginx-package
    - watch_in:
      - pkg: nginx-package
{% elif salt['grains.get']('os_family') == 'RedHat' %}
nginx-repo:
  pkgrepo:
    - {{ 'managed' if nginx.repo else 'absent' }}
    - name: nginx
    - humanname: nginx repo
    - baseurl: 'http://nginx.example/{{ grains['osmajorrelease'] }}/$basearch/'
    - gpgcheck: {{ nginx.lookup.get('gpg_check', False) }}
    - enabled: True
    - require_in:
      - pkg: nginx-package
{% endif %}
