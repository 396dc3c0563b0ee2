# Everything a host's roles need, in one transaction of the package manager. Other states require `pkg: packages`.
{%- import_yaml 'packages/map.yaml' as map %}
{%- set wanted = [] %}
{%- for role in ['base'] + grains.get('roles', []) %}
{%-   do wanted.extend(map[grains['os_family']].get(role, [])) %}
{%-   for key, choices in map[grains['os_family']]['choices'].get(role, {}).items() %}
{%-     do wanted.extend(choices[salt['pillar.get'](key)]) %}
{%-   endfor %}
{%- endfor %}

{%- if grains['os_family'] == 'RedHat' %}
# Prometheus and its exporters are not in Rocky's own repositories.
prometheus-rpm:
  pkgrepo.managed:
    - humanname: Prometheus and exporters
    - baseurl: https://packagecloud.io/prometheus-rpm/release/el/$releasever/$basearch
    - gpgkey: https://packagecloud.io/prometheus-rpm/release/gpgkey https://raw.githubusercontent.com/lest/prometheus-rpm/master/RPM-GPG-KEY-prometheus-rpm
    - gpgcheck: 1
    - require_in:
      - pkg: packages
{%- endif %}

packages:
  pkg.installed:
    - pkgs: {{ wanted | unique | sort | json }}
