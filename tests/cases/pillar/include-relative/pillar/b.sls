rootb: 1
