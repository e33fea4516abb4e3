"""What the explorables of a page should show, by their own `update`: the tests of the built site compare with it.

`watch` and `collect` run where the code of the page runs: in the kernel in which nbval runs a chapter, or else in a
process of its own, ``python tests/truth.py PAGE RESULT KEY``; see harvest.py.
Coordinates are points from the upper left corner of the figure, as in the page.
"""

from __future__ import annotations

import os
import pickle
import random
import sys
from pathlib import Path

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.text import Text

from explorable.figure import Explorable

SAMPLES = 12  # random states of each explorable, beside the ends of each control


def states_to_try(controls):
    """The first state, both ends of every control, and random ones: dicts name -> index of the value."""
    first = {c.name: c.initial for c in controls}
    yield first
    for c in controls:
        for end in (0, len(c.values) - 1):
            yield first | {c.name: end}
    rng = random.Random(0)
    for _ in range(SAMPLES):
        yield {c.name: rng.randrange(len(c.values)) for c in controls}


def flat(returned):
    return [artist for item in returned for artist in (flat(item) if isinstance(item, (tuple, list)) else [item])]


def seen(artist, height: float) -> dict | None:
    """What is compared of an artist: the text, or the points of a visible line and the box that cuts it off."""
    if isinstance(artist, Text):
        return {"text": artist.get_text()}
    if isinstance(artist, Line2D) and artist.get_visible():
        points, box = artist.axes.transData.transform(artist.get_xydata()), artist.axes.bbox
        return {"points": np.column_stack([points[:, 0], height - points[:, 1]]),
                "box": (box.x0, height - box.y1, box.x1, height - box.y0), "markers": artist.get_linestyle() == "None"}
    return None


def of_explorable(explorable: Explorable) -> dict:
    """Its id, its controls (name -> index of the first value), and for each state what is seen of what `update` returns."""
    explorable.fig.dpi = 72
    height = explorable.fig.get_size_inches()[1] * 72
    controls, states = explorable.grid.controls, []
    for state in states_to_try(controls):
        returned = explorable.update(**{c.name: c.values[state[c.name]] for c in controls})
        states.append((state, [seen(artist, height) for artist in flat(returned)]))
    return {"id": explorable.id, "controls": {c.name: c.initial for c in controls}, "states": states}


_made: list[Explorable] = []


def watch() -> None:
    """From now on keep every explorable that this process makes."""
    make = Explorable.__init__
    Explorable.__init__ = lambda self, *args: _made.append(self) or make(self, *args)


def collect(path: Path, key: str) -> None:
    """Write down, under `key`, what is seen of all explorables with controls that were made since `watch`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    part.write_bytes(pickle.dumps((key, [of_explorable(made) for made in _made if made.grid.controls])))
    part.replace(path)


if __name__ == "__main__":
    import chapters

    page, path, key = sys.argv[1:]
    os.chdir(Path(page).parent)
    watch()
    space = {"__name__": "__main__", "print": lambda *args, **options: None}
    for number, code in enumerate(chapters.code_cells(Path(page))):
        exec(compile(code, f"{page}, cell {number}", "exec"), space)
    collect(Path(path), key)
