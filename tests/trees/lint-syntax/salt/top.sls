base:
  '*': [yaml, jinja, tabs]
  'db*': text
