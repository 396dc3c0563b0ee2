include: text
? [a]
: b
