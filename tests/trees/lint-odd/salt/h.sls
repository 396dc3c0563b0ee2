{{ 1/0 }}
{% for i in range(100000000) %}{% endfor %}