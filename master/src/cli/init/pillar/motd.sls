motd:
  greeting: Welcome.
