web:
  cache:
    # Memory for keys, and disk for what is kept.
    keys: 10m
    size: 256m
    # What nobody asks for goes after this time.
    inactive: 10m
