#!/usr/bin/env python3
"""Goal: records are what others take for CSV and JSON. Method: the readers of Python's library; both files of one run
hold the same. Prints the records as one JSON list. Usage: same_records.py RECORDS.csv RECORDS.jsonl"""
import csv
import json
import sys


def as_cell(value):
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


with open(sys.argv[1], encoding="utf-8", newline="") as file:
    header, *rows = csv.reader(file, strict=True)
with open(sys.argv[2], encoding="utf-8", newline="") as file:
    text = file.read()
assert text.endswith("\n"), "the last line ends"
# Only a line feed ends a line of JSON Lines; splitlines() knows others.
records = [json.loads(line) for line in text[:-1].split("\n")]
assert [list(record) for record in records] == [header] * len(records), "the fields and their order"
assert [[as_cell(value) for value in record.values()] for record in records] == rows
print(json.dumps(records))
