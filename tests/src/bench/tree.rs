//! A tree as a site has it after some years: roles in the style of formulas, 200 files of 25 states, and their pillar.

use crate::project::Project;

/// Roles in the tree.
const ROLES: usize = 20;
/// State files of a role.
const FILES: usize = 10;
/// States of a file.
const STATES: usize = 25;

/// State files of the tree.
pub(super) const ALL_FILES: usize = ROLES * FILES;
/// States of the tree.
pub(super) const ALL_STATES: usize = ALL_FILES * STATES;

/// Writes the tree, with everything a host needs in one top file.
pub(super) fn write(project: &Project) {
    let mut top = "base:\n  '*':\n".to_owned();
    for role in 0..ROLES {
        top.push_str(&format!("    - role{role}\n"));
        for (path, text) in role_files(role) {
            project.write(&format!("salt/role{role}/{path}"), &text);
        }
        project.write(&format!("pillar/role{role}.sls"), &pillar(role));
    }
    project.write("salt/top.sls", &top);
    project.write("pillar/top.sls", &top);
}

fn role_files(role: usize) -> Vec<(String, String)> {
    let mut includes = String::new();
    let mut files = vec![
        ("defaults.yaml".to_owned(), defaults(role)),
        (
            "osfamilymap.yaml".to_owned(),
            OS_FAMILIES.replace("ROLE", &format!("role{role}")),
        ),
        (
            "map.jinja".to_owned(),
            MAP.replace("ROLE", &format!("role{role}")),
        ),
        ("macros.jinja".to_owned(), MACROS.to_owned()),
    ];
    for part in 1..FILES {
        includes.push_str(&format!("  - .part{part}\n"));
        files.push((format!("part{part}.sls"), states(role, part)));
    }
    let init = format!("include:\n{includes}\n{}", states(role, 0));
    files.push(("init.sls".to_owned(), init));
    files
}

/// One file of states: a package, a directory, files by a macro, a link, commands and a service that watches.
fn states(role: usize, part: usize) -> String {
    let text = PART.replace("ROLE", &format!("role{role}"));
    let before = match part {
        0 => String::new(),
        1 => format!("    - require:\n      - pkg: role{role}-0-packages\n"),
        _ => format!("    - require:\n      - sls: role{role}.part{}\n", part - 1),
    };
    text.replace("BEFORE\n", &before)
        .replace("PART", &part.to_string())
        .replace("FILES", &(STATES - 6).to_string())
}

fn defaults(role: usize) -> String {
    DEFAULTS.replace("ROLE", &format!("role{role}"))
}

fn pillar(role: usize) -> String {
    PILLAR.replace("ROLE", &format!("role{role}"))
}

const DEFAULTS: &str = "\
ROLE:
  packages: [ROLE, ROLE-common]
  service: ROLE
  user: root
  group: root
  dir: /etc/ROLE
  mode: '0644'
  limits: { files: 1024, processes: 512 }
  options:
    listen: 127.0.0.1
    port: 8080
    workers: 4
    log: /var/log/ROLE.log
";

const OS_FAMILIES: &str = "\
Debian:
  group: adm
  packages: [ROLE, ROLE-doc]
RedHat:
  group: wheel
  packages: [ROLE, ROLE-libs]
";

const MAP: &str = "\
{%- set tplroot = tpldir.split('/')[0] %}
{%- import_yaml tplroot ~ '/defaults.yaml' as defaults %}
{%- import_yaml tplroot ~ '/osfamilymap.yaml' as families %}
{%- set settings = salt['grains.filter_by'](
      defaults,
      default=tplroot,
      merge=salt['grains.filter_by'](families, grain='os_family', merge=salt['pillar.get'](tplroot ~ ':lookup', {}))
    ) %}
{%- do settings.options.update(salt['pillar.get'](tplroot ~ ':options', {})) %}
";

const MACROS: &str = "\
{%- macro config(id, name, settings, watcher) %}
{{ id }}:
  file.managed:
    - name: {{ settings.dir }}/{{ name }}
    - source:
      - salt://{{ tpldir }}/files/{{ grains['id'] }}/{{ name }}
      - salt://{{ tpldir }}/files/default/{{ name }}
    - template: jinja
    - user: {{ settings.user }}
    - group: {{ settings.group }}
    - mode: '{{ settings.mode }}'
    - context: {{ {'options': settings.options, 'limits': settings.limits, 'name': name} | json }}
    - require:
      - file: {{ id.rsplit('-', 1)[0] }}-dir
    - watch_in:
      - service: {{ watcher }}
{%- endmacro %}
";

const PART: &str = "\
{%- from tpldir ~ '/map.jinja' import settings with context %}
{%- from tpldir ~ '/macros.jinja' import config with context %}
{%- set prefix = 'ROLE-PART' %}

{{ prefix }}-packages:
  pkg.installed:
    - pkgs: {{ settings.packages | json }}
BEFORE

{{ prefix }}-dir:
  file.directory:
    - name: {{ settings.dir }}/part
    - user: {{ settings.user }}
    - group: {{ settings.group }}
    - mode: '0755'
    - makedirs: True
    - require:
      - pkg: {{ prefix }}-packages
{% for number in range(FILES) %}
{{ config(prefix ~ '-' ~ number, 'part' ~ '%02d.conf' | format(number), settings, prefix ~ '-service') }}
{%- endfor %}

{{ prefix }}-link:
  file.symlink:
    - name: {{ settings.dir }}/PART.conf
    - target: {{ settings.dir }}/part00.conf
    - require_in:
      - service: {{ prefix }}-service

{%- for step in ['check', 'reindex'] %}

{{ prefix }}-{{ step }}:
  cmd.run:
    - name: /usr/sbin/{{ settings.service }} --{{ step }} {{ settings.dir }}
    - onchanges:
      - file: {{ prefix }}-dir
    - unless: test -e /run/{{ settings.service }}.{{ step }}
{%- endfor %}

{{ prefix }}-service:
  service.running:
    - name: {{ settings.service }}
    - enable: {{ salt['pillar.get']('ROLE:enabled', True) }}
    - watch:
      - pkg: {{ prefix }}-packages
";

const PILLAR: &str = "\
ROLE:
  enabled: true
  lookup:
    limits: { files: {{ 1024 * 4 }} }
  options:
    workers: {{ grains.get('num_cpus', 2) }}
    servers:
{%- for number in range(10) %}
      - { name: backend{{ number }}, address: 192.0.2.{{ number + 10 }}, port: 80{{ '%02d' | format(number) }} }
{%- endfor %}
";
