# The sample application. Its servers see only the passwords they need.
{%- import_yaml 'secrets.yaml' as secrets %}
app:
  # The release that shall run; the name of its directory. A new number is a new directory, and a restart without a
  # lost request (`salt-rs apply 'was*' --batch 1`).
  release: 1.0.0
  port: 3000
  database: sample
  write: { user: sample_rw, password: {{ secrets['mysql']['sample_rw'] | yaml_dquote }} }
  read: { user: sample_ro, password: {{ secrets['mysql']['sample_ro'] | yaml_dquote }} }
  npm:
    # Where npm and what the application needs come from; a mirror of npmjs.org will do. The lab has its own.
    registry: https://registry.npmjs.org/
    # Debian's npm brings four hundred packages along. npm's own release needs nothing but Node.js; without a version
    # the distribution's package is used.
    version: 10.9.4
    hash: sha512=3a7506f37e85c1ba1021baad79f0cd9724748131f321fc117c4dc3ba235ec01be7327584a41d15117c01945560aa9373220628fcc1e1dddd877a5fe9b336a900
