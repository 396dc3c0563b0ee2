yes: true
no: false
deep: {a: [0, 1]}
