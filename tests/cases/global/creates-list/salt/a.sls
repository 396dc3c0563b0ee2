one:
  cmd.run:
    - name: echo x
    - creates: [@SANDBOX@/have]
text:
  cmd.run:
    - name: echo x
    - creates: @SANDBOX@/have
