"""The plain nets of 50 layers of chapter 8, trained ten times as long: do they learn nothing, or slowly?

    python book/experiments/depth_longer.py

writes book/data/depth_longer.jsonl, or finishes it. A quarter of an hour on one core. All else is as in depth.py; every arm
gets its own rate once more, since a longer run may want another one.
"""

import depth
from protocol import run_protocol

PATH = depth.PATH.with_name("depth_longer.jsonl")
SETTINGS = depth.SETTINGS | {"steps": 3000}
ARMS = [dict(norm=norm) for norm in depth.NORMS]


def grid(arm):
    """The k of the first rates: 0.00011 to 0.027."""
    return range(-2, 4)


def run(norm, part, rate):
    """Train a plain net of 50 layers for each seed; what is kept is that of `depth.run`."""
    return depth.run(50, "plain", norm, part, rate, SETTINGS)


if __name__ == "__main__":
    run_protocol(PATH, run, ARMS, grid, SETTINGS, __doc__)
