k: {{ nosuch }}
