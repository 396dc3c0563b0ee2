include: text
