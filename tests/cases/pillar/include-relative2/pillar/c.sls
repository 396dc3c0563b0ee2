rootc: 1
