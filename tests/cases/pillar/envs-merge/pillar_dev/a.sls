k: dev
m: {d: 1}
