#!py
def run():
  return {}
