extend: []
exclude: x
