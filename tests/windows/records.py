#!/usr/bin/env python3
"""Goal: the records that sureflash.exe wrote are whole and true. Method: Python's own readers of CSV and JSON; the
digest is that of sha256sum. Run by run.sh, in the folder with the files. Usage: records.py SHA256."""
import csv
import json
import sys

with open("log.jsonl", encoding="utf-8", newline="") as file:
    torn, *lines = file.read().split("\n")
assert torn == "torn", "a line that somebody left unfinished is ended, not joined"
assert lines.pop() == "", "the last line ends"
units = [json.loads(line) for line in lines]
assert [(u["result"], u["row"]) for u in units] == [
    ("done", 2), ("done", 3), ("failed", None), ("failed", None), ("done", 4)], units
assert all(u["file_sha256"] == sys.argv[1] for u in units)
digests = [u["image_sha256"] for u in units if u["result"] == "done"]
assert len(set(digests)) == 3 and all(len(d) == 64 for d in digests), "each unit has other bytes"

with open("together.csv", encoding="utf-8", newline="") as file:
    rows = list(csv.DictReader(file))
assert len(rows) == 12 and len({row["uid"] for row in rows}) == 12
assert all(None not in row and row["result"] == "done" for row in rows), "a line was torn"
