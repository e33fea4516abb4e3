"""The proofs of a page's questions, and what they come to where its code has run.

`evaluate` and `save` run where the code of the page runs: in the kernel in which nbval runs a chapter, or else in a process
of its own, ``python tests/proofs.py PAGE RESULT KEY``; see harvest.py.
"""

from __future__ import annotations

import math
import numbers
import os
import pickle
import re
import sys
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import numpy as np

_PREDICTED = re.compile(r"^(:{3,}|`{3,})\{predicted\}[ \t]+(\S+)[ \t]*\n(.*?)^\1[ \t]*$", re.MULTILINE | re.DOTALL)
_OPTION = re.compile(r"^:(\w+):[ \t]*(.*?)[ \t]*$", re.MULTILINE)


class Proof(NamedTuple):
    """One ``{predicted}``: what is evaluated, once `after` code cells have run."""

    label: str
    right: str
    expression: str
    is_number: bool
    after: int

    def fault(self, value) -> str | None:
        """What is wrong if the expression has this value: True is wanted, or a number that is `right` in its digits."""
        if not self.is_number:
            return None if value is True else f"{self.expression} is {value!r}; wanted True"
        digits = -Decimal(self.right).as_tuple().exponent
        same = isinstance(value, float) and math.isclose(round(value, digits), float(self.right))
        return None if same else f"{self.expression} is {value!r}; right is {self.right}"


def in_cells(cells) -> list[Proof]:
    """The proofs in the cells of a notebook, in its order."""
    found, after = [], 0
    for cell in cells:
        after += cell.cell_type == "code"
        if cell.cell_type != "markdown":
            continue
        for _, label, text in _PREDICTED.findall(cell.source):
            options = dict(_OPTION.findall(text))
            found.append(Proof(label, options["right"], options["proof"], "within" in options, max(after, 1)))
    return found


_values: dict[str, object] = {}


def evaluate(label: str, expression: str, names: dict) -> None:
    """Keep the value of an expression in the names of a page: True or False, a float, or else words that say what it is."""
    try:
        value = eval(expression, names)
    except Exception as error:  # said where the proof is compared
        value = f"{type(error).__name__}: {error}"
    if isinstance(value, (bool, np.bool_)):
        _values[label] = bool(value)
    elif isinstance(value, numbers.Real):
        _values[label] = float(value)
    else:
        _values[label] = value if isinstance(value, str) else repr(value)


def save(path: Path, key: str) -> None:
    """Write down all values under `key`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    part.write_bytes(pickle.dumps((key, _values)))
    part.replace(path)


if __name__ == "__main__":
    import chapters

    page, path, key = sys.argv[1:]
    cells = chapters.cells(Path(page))
    found = in_cells(cells)
    os.chdir(Path(page).parent)
    space = {"__name__": "__main__", "print": lambda *args, **options: None}
    for number, cell in enumerate((cell for cell in cells if cell.cell_type == "code"), 1):
        exec(compile(cell.source, f"{page}, cell {number}", "exec"), space)
        for proof in found:
            if proof.after == number:
                evaluate(proof.label, proof.expression, space)
    save(Path(path), key)
