k: a
