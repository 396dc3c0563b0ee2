merge:
  file.serialize:
    - name: @SANDBOX@/data.json
    - formatter: json
    - merge_if_exists: True
    - dataset: {b: 2, k: {x: 3, y: [1]}}
ini:
  file.serialize:
    - name: @SANDBOX@/data.ini
    - formatter: configparser
    - dataset:
        Main: {Key: v, n: 1}
        Other: {q: true}
