k: base
m: {b: 1}
only_base: 1
