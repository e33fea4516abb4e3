"""Runs ``update`` at every state, keeps what changed, refuses what it could not replay."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Callable, Iterable

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import Collection, QuadMesh, TriMesh
from matplotlib.figure import FigureBase
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

from explorable.controls import Grid
from explorable.marks import MarkRenderer
from explorable.recording import Recording

_RECORDED = (Line2D, Collection, Patch, Text, AxesImage)
_NOT_RECORDED = (QuadMesh, TriMesh)


def describe(state: dict) -> str:
    """A state in words: "depth=10, activation='tanh'"."""
    return ", ".join(f"{name}={value!r}" for name, value in state.items()) or "(no controls)"


def artists_of(returned) -> list[Artist]:
    """The artists that ``update`` returned, containers (bars, say) opened up.

    Raises
    ------
    TypeError : something that is not an artist, or one that cannot be recorded.
    """
    if isinstance(returned, Artist):
        if not isinstance(returned, _RECORDED) or isinstance(returned, _NOT_RECORDED):
            raise TypeError(
                f"update returned a {type(returned).__name__}, which cannot be recorded; "
                "return lines, collections, patches, texts or images"
            )
        return [returned]
    if returned is None or isinstance(returned, (str, bytes)) or not isinstance(returned, Iterable):
        raise TypeError(f"update returned {returned!r}; wanted the artists that it changes, as in `return curve,`")
    return [artist for item in returned for artist in artists_of(item)]


class _StillParts:
    """The rest of the figure, which must look the same in every state."""

    def __init__(self, fig, moving: list[Artist], renderer: MarkRenderer):
        self.fig, self.moving, self.renderer = fig, dict.fromkeys(moving), renderer  # in order, quick to look up
        fig.draw(renderer)  # from here on, `stale` tells what has been touched
        self.axes = fig.findobj(Axes)  # insets, too
        self.parts = self._collect(fig)
        self.frames = self._frames()
        self.marks = {id(part): renderer.take(part) for part in self.parts}

    def check(self) -> None:
        if self._frames() != self.frames:
            raise RuntimeError(
                "update changed the limits, scale or place of an axes, or the order in which artists are drawn; "
                "set them once, before explore(), so that they suit every state"
            )
        parts = self._collect(self.fig)
        if len(parts) != len(self.parts) or any(a is not b for a, b in zip(parts, self.parts)):
            raise RuntimeError(
                "update added or removed an artist; make every artist before explore() and change its data or visibility"
            )
        for part in parts:
            touched = part.stale or isinstance(part, Collection)  # Collection.set_array leaves `stale` as it was
            if touched and not _same(self.renderer.take(part), self.marks[id(part)]):
                raise RuntimeError(f"update changed {part}, but does not return it")

    def _collect(self, parent) -> list[Artist]:
        parts = []
        for child in parent.get_children():
            if child in self.moving:
                continue
            if not isinstance(child, (FigureBase, Axes)):
                parts.append(child)
            if not isinstance(child, Axis):
                parts += self._collect(child)
        return parts

    def _frames(self) -> list:
        frames = [tuple(self.fig.get_size_inches()), [artist.get_zorder() for artist in self.moving]]
        for ax in self.axes:
            frames.append((ax.get_xlim(), ax.get_ylim(), ax.get_xscale(), ax.get_yscale(),
                           ax.get_position().bounds, ax.get_visible(), ax.axison, ax.get_zorder()))
        return frames


def _place(artist) -> tuple | None:
    """Where a plain text stands, in which font: one that has not been touched (`stale`) and stands so looks as it did.

    None for all else, which is drawn in every state.
    """
    if type(artist) is not Text or artist.get_bbox_patch() is not None:
        return None
    return *artist.get_transform().transform(artist.get_unitless_position()), hash(artist.get_fontproperties())


def _same(a, b) -> bool:
    return len(a) == len(b) and all(
        x[:3] == y[:3] and np.array_equal(x.points, y.points) for x, y in zip(a, b)
    )


@contextmanager
def _points(fig):
    """Make one pixel a point while recording, as Matplotlib's SVG backend does."""
    dpi = fig.dpi
    fig.dpi = 72
    try:
        yield
    finally:
        fig.dpi = dpi


def freeze_layout(fig) -> None:
    """Run a layout engine (constrained, tight) once and switch it off."""
    fig.draw_without_rendering()
    fig.set_layout_engine("none")


def record(fig, update: Callable, grid: Grid, name: str):
    """Record `update` at all states of `grid`.

    Returns
    -------
    recording : `Recording`.
    artists : what ``update`` returns, in order; artist i is slot ``str(i)``.
    clips : SVG content of each clip path -> its id (prefixed with `name`).

    Raises
    ------
    RuntimeError : ``update`` raised, returned other artists, drew what cannot
        be recorded, changed an axes or an artist that it does not return; the
        message names the state.
    TypeError : ``update`` returned something that cannot be recorded.
    """
    with _points(fig):
        width, height = fig.get_size_inches() * 72
        renderer = MarkRenderer(width, height, clip_prefix=f"{name}-clip")
        artists = still = None
        marks, places = {}, {}
        recording = Recording(grid.size)
        for number, state in enumerate(grid.states()):
            returned = _run(update, state, name)
            if artists is None:
                artists = returned
                still = _StillParts(fig, artists, MarkRenderer(width, height, strict=False))
            elif len(returned) != len(artists) or any(a is not b for a, b in zip(returned, artists)):
                raise RuntimeError(f"{name}: update returned other artists at {describe(state)} than before")
            try:
                for slot, artist in enumerate(artists):
                    place = _place(artist)
                    if artist.stale or place is None or place != places.get(slot):
                        marks[slot], places[slot] = renderer.take(artist), place
                    recording.add(number, str(slot), marks[slot])
                still.check()
            except Exception as error:
                raise RuntimeError(f"{name}: {error} [at {describe(state)}]") from error
    return recording, artists, renderer.clips


def _run(update, state, name):
    try:
        returned = update(**state)
    except Exception as error:
        raise RuntimeError(f"{name}: update raised {type(error).__name__} at {describe(state)}: {error}") from error
    try:
        return list(dict.fromkeys(artists_of(returned)))  # each once
    except TypeError as error:
        raise TypeError(f"{name}: {error} [at {describe(state)}]") from None
