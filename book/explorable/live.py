"""A figure whose states are drawn when they are asked for: on a page with Python behind it."""

from __future__ import annotations

from typing import Mapping

import numpy as np
from matplotlib.axes import Axes

from explorable.marks import Mark, MarkRenderer
from explorable.recorder import StillParts, at_dpi, audited, named, other_order, place_of, replaced, run, run_again
from explorable.recording import Recording
from explorable.svg import figure_html

_DRAWN_HERE = ()  # a value of `stale` that is false, as False is, which an artist has that is drawn anywhere else


class Live:
    """The states of an `Explorable`, one by one. Made by `Explorable.live`.

    Raises
    ------
    RuntimeError, TypeError : as `record` does, for the first state.
    """

    def __init__(self, explorable):
        self.id, self._grid, self._fig = explorable.id, explorable.grid, explorable.fig
        self._update = explorable.update
        with at_dpi(self._fig, 72):
            width, height = self._fig.get_size_inches() * 72
            self._renderer = MarkRenderer(width, height, clip_prefix=f"{self.id}-clip")
            self._first = self._values({control.name: control.initial for control in self._grid.controls})
            self._artists = run(self._update, self._first, self.id)
            self._still = None
            if any(hasattr(ax, "get_proj") for ax in self._fig.findobj(Axes)):
                self._meet_still_parts()
            self._learn_order()
            with named(self.id, self._first):
                marks = [self._renderer.take(artist) for artist in self._artists]
        self._places = [place_of(artist) for artist in self._artists]
        self._slots = [_as_lists(each) for each in marks]
        recording = Recording(1)
        for slot, each in enumerate(marks):
            recording.add(0, str(slot), each)
        self._in_html = self._clips()
        with replaced(self._in_order):
            self._html = figure_html(
                self._fig, self._artists, recording, {content: clip for clip, content in self._in_html.items()}, self._grid,
                self.id, explorable.alt, explorable.caption, explorable.handles, live=True)

    def html(self) -> str:
        """The figure in its first state, with its controls, as a recorded one; the page asks for its other states."""
        return self._html

    def state(self, indices: Mapping[str, int], check: bool = False) -> list:
        """What ``update`` draws with other values.

        Parameters
        ----------
        indices : name of each control -> the number of its value.
        check : whether to look at the rest of the figure, too, which must look as it did.

        Returns
        -------
        A list with an entry for each artist that ``update`` returns: None if it looks as it did in the last state; else its
        marks, back to front, each ``[tag, style, body, [x0, y0, x1, y1, …]]`` in tenths of a point.

        Raises
        ------
        ValueError : a control that is not there, or that lacks the value.
        RuntimeError, TypeError : as `record` does; with `check` only for a change that ``update`` does not return.
        """
        values = self._values(indices)
        with at_dpi(self._fig, 72):
            if check and self._still is None:
                self._meet_still_parts()
            run_again(self._update, values, self.id, self._artists)
            with named(self.id, values):
                self._check_order()
                if check:
                    self._still.check()
                slots, places = self._draw()
        changed = [new if new != old else None for new, old in zip(slots, self._slots)]
        self._slots, self._places = slots, places
        return changed

    def new_clips(self) -> dict[str, str]:
        """Clip paths that the last states have and the page has not: id -> SVG content. Each is told once."""
        clips = self._clips()
        new = {clip: content for clip, content in clips.items() if clip not in self._in_html}
        self._in_html = clips
        return new

    def _clips(self) -> dict[str, str]:
        return {clip: content for content, clip in self._renderer.clips.items()}

    def _values(self, indices: Mapping[str, int]) -> dict:
        by_name = {control.name: control for control in self._grid.controls}
        if set(indices) != set(by_name):
            raise ValueError(f"{self.id} has the controls {', '.join(by_name) or 'none'}; got {', '.join(indices) or 'none'}")
        for name, index in indices.items():
            if not (isinstance(index, int) and 0 <= index < len(by_name[name].values)):
                raise ValueError(f"{self.id}: the control {name} has values 0 to {len(by_name[name].values) - 1}; got {index!r}")
        return {name: by_name[name].values[index] for name, index in indices.items()}

    def _draw(self) -> tuple[list, list]:
        """Slots and places of all artists; a plain text that nobody has touched, or drawn elsewhere, is not drawn again."""
        slots, places = [], [place_of(artist) for artist in self._artists]
        for artist, place, before, slot in zip(self._artists, places, self._places, self._slots):
            if artist.stale is not _DRAWN_HERE or place is None or place != before:
                slot = _as_lists(self._renderer.take(artist))
                artist.stale = _DRAWN_HERE
            slots.append(slot)
        return slots, places

    def _meet_still_parts(self) -> None:
        """See how the rest of the figure looks in the first state. It takes as long as all of the figure: not before it has to be."""
        plain = MarkRenderer(self._renderer.width, self._renderer.height, self._renderer.clip_prefix, strict=False)
        plain.clips = self._renderer.clips
        run_again(self._update, self._first, self.id, self._artists)
        with named(self.id, self._first):
            self._still = StillParts(self._fig, self._artists, plain, self.id)

    def _learn_order(self) -> None:
        """Find the order, back to front, of what 3-D axes draw, from some states, since a page has one for all."""
        self._solids = self._still.solids if self._still else []
        if self._solids:
            states = list(self._grid.states())
            for state in (*(states[number] for number in audited(self._grid)), self._first):
                run_again(self._update, state, self.id, self._artists)
                with named(self.id, state):
                    self._still.check()
        self._in_order = [change for solids in self._solids for change in solids.in_order()]
        self._ranks = [{child: rank for rank, child in enumerate(solids.order)} for solids in self._solids]

    def _check_order(self) -> None:
        """Project what moves in 3-D axes, and raise if the page's order doesn't suit this state."""
        for solids, ranks in zip(self._solids, self._ranks):
            solids.check()
            for child, behind in solids.before.items():
                wrong = next((other for other in behind if ranks[other] > ranks[child]), None)
                if wrong is not None:
                    raise other_order(wrong, child)


def _as_lists(marks: list[Mark]) -> list[list]:
    return [[tag, style, body, np.rint(points * 10).astype(int).ravel().tolist()] for tag, style, body, points in marks]
