"""What the experiments found: how chapters read the files in data that the scripts in experiments wrote."""

import json


def stored(path: str) -> list[dict]:
    """The runs in a file of lines of JSON; the first line, how the file was made, is left out.

    Where a line has a list "runs", each of them is a run, with the other entries of its line.
    """
    with open(path, encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines][1:]
    return [row | run for row in rows for run in row.pop("runs", [{}])]


def pick(runs: list[dict], **wanted) -> list[dict]:
    """Those of `runs` that have all these entries; there may be none."""
    return [run for run in runs if wanted.items() <= run.items()]
