lines:
  cmd.run:
    - name: echo working; echo "changed=yes comment='it is done' k=v"
    - stateful: True
single:
  cmd.run:
    - name: echo "changed=yes comment=x"
    - stateful: True
unchanged:
  cmd.run:
    - name: echo "changed=no comment=nothing"
    - stateful: True
json:
  cmd.run:
    - name: "echo '{\"changed\": true, \"comment\": \"data\", \"x\": [1]}'"
    - stateful: True
tested:
  cmd.run:
    - name: echo "changed=yes comment=did"
    - stateful:
      - test_name: echo "changed=yes comment=would"
