a: &x [*x]
