b: 1
k: b
