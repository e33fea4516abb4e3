"""Runs ``update`` at every state, keeps what changed, refuses what it could not replay."""

from __future__ import annotations

import itertools
import re
from contextlib import contextmanager
from functools import partial
from graphlib import CycleError, TopologicalSorter
from typing import Callable, Iterable, Mapping

import numpy as np
from matplotlib.artist import Artist, allow_rasterization
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import Collection, QuadMesh, TriMesh
from matplotlib.container import Container
from matplotlib.figure import FigureBase
from matplotlib.image import AxesImage
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnnotationBbox, OffsetBox
from matplotlib.patches import Patch
from matplotlib.quiver import QuiverKey
from matplotlib.table import Table
from matplotlib.text import Text

from explorable.controls import Grid
from explorable.marks import Mark, MarkRenderer
from explorable.recording import Recording

_RECORDED = (Line2D, Collection, Patch, Text, AxesImage, Legend, OffsetBox, AnnotationBbox, QuiverKey, Table)
_NOT_RECORDED = (QuadMesh, TriMesh)
_FINE = 2  # pixels a point of a drawing that must look like that with one
_AUDITED = 8  # states drawn for the audit, besides the first, the last and the widgets' own
_SAME_PLACE = 0.06  # points: recorded places are rounded to 0.1
_HALF_A_PIXEL = 0.4  # points, nearly: an arrow ends where its curve is cut, to a fraction of a pixel
_LOCATIONS = ("upper right", "upper left", "lower left", "lower right", "right", "center left", "center right",
              "lower center", "upper center", "center")  # where loc="best" may put a legend


def describe(state: dict) -> str:
    """A state in words: "depth=10, activation='tanh'"."""
    return ", ".join(f"{name}={value!r}" for name, value in state.items()) or "(no controls)"


def artists_of(returned) -> list[Artist]:
    """The artists that ``update`` returned, containers (bars, say) and dictionaries opened up.

    Raises
    ------
    TypeError : something that is not an artist, or one that cannot be recorded.
    """
    if isinstance(returned, Artist):
        if not isinstance(returned, _RECORDED) or isinstance(returned, _NOT_RECORDED):
            instead = ("use imshow, pcolor or tripcolor(shading='flat') instead" if isinstance(returned, _NOT_RECORDED)
                       else "return lines, collections, patches, texts, images, legends or tables")
            raise TypeError(f"update returned a {type(returned).__name__}, which cannot be recorded; {instead}")
        return [returned]
    if isinstance(returned, Container):
        returned = returned.get_children()  # without the None of an error bar that has no line
    if isinstance(returned, Mapping):
        returned = returned.values()
    if returned is None or isinstance(returned, (str, bytes)) or not isinstance(returned, Iterable):
        raise TypeError(f"update returned {returned!r}; wanted the artists that it changes, as in `return curve,`")
    return [artist for item in returned for artist in artists_of(item)]


def slot_id(name: str, slot: int | str) -> str:
    return f"{name}-slot-{slot}"


@contextmanager
def placeholders(artists, name: str):
    """Let each artist draw an empty group in its place."""

    @allow_rasterization  # ends what was rasterized before it
    def draw(artist, renderer):
        renderer.open_group("slot", gid=slot_id(name, slots[artist]))
        renderer.close_group("slot")

    slots = {artist: slot for slot, artist in enumerate(artists)}
    with replaced([(artist, "draw", partial(draw, artist)) for artist in artists]):
        yield


@contextmanager
def replaced(changes: list[tuple]):
    """Give objects other attributes, (object, name, value), for a while."""
    before = [(thing, name, name in vars(thing), vars(thing).get(name)) for thing, name, _ in changes]
    for thing, name, value in changes:
        setattr(thing, name, value)
    try:
        yield
    finally:
        for thing, name, own, value in reversed(before):
            if own:
                setattr(thing, name, value)
            else:
                delattr(thing, name)


class StillParts:
    """The rest of the figure, which must look the same in every state."""

    def __init__(self, fig, moving: list[Artist], renderer: MarkRenderer, name: str):
        self.fig, self.moving, self.renderer, self.name = fig, dict.fromkeys(moving), renderer, name  # quick to look up
        with placeholders(moving, name):
            fig.draw(renderer)  # from here on, `stale` tells what has been touched
        self.axes = [(ax, _probes(ax)) for ax in fig.findobj(Axes)]  # insets, too
        self.solids = [_Solids(ax, self.moving) for ax, _ in self.axes if hasattr(ax, "get_proj")]
        self.parts = self._collect(fig)
        for part in self.parts:
            _refuse_still(part)
        self.held, self.within = self._holders()
        self.drawn_always = {part for part in self.parts if isinstance(part, Collection) or self._follows(part)
                             or isinstance(part, Patch) and part.get_hatch()}
        self.marks = {id(part): self._take(part) for part in self.parts if part not in self.within}
        self.frames = self._frames()

    def check(self) -> None:
        """Project the solids that move, and raise where anything else has changed."""
        frames = self._frames()
        if frames != self.frames:
            self._refuse_colorbars([ax for (ax, _), a, b in zip(self.axes, frames[2:], self.frames[2:]) if a != b])
            raise RuntimeError(
                "update changed the limits, scale, view or place of an axes, or the order in which artists are drawn; "
                "set them once, before explore(), so that they suit every state"
            )
        parts = self._collect(self.fig)
        if len(parts) != len(self.parts) or any(a is not b for a, b in zip(parts, self.parts)):
            self._refuse_colorbars([part.axes for part in set(parts) ^ set(self.parts)])
            raise RuntimeError(
                "update added or removed an artist; make every artist before explore() and change its data or visibility"
            )
        for solids in self.solids:
            solids.check()
        for part in parts:
            if part in self.within:
                continue
            held = self.held.get(part, [])
            # Collection.set_array and Patch.set_hatch_linewidth leave `stale` as it was
            touched = part.stale or part in self.drawn_always or any(artist.stale for artist in held)
            if touched and not _same(self._take(part), self.marks[id(part)]):
                if isinstance(part, Axis):
                    raise RuntimeError(
                        f"update changed {part} of {part.axes}: its ticks, its grid or where it stands; set them once, before explore() "
                        "(only a label can move: return what ax.set_xlabel returns)"
                    )
                also = f" (with {held[0]}, which is in it)" if held else ""
                raise RuntimeError(f"update changed {part}{also}, but does not return it")

    def _refuse_colorbars(self, axes: list) -> None:
        for ax in axes:
            if hasattr(ax, "_colorbar"):
                raise RuntimeError(
                    f"update changed the colours, norm or limits of {ax._colorbar.mappable}, and so its colorbar, which stands still: "
                    "set cmap, norm, vmin and vmax once, before explore(), so that they suit every state"
                )

    def _take(self, part) -> list[Mark]:
        if part not in self.held:
            return self.renderer.take(part)
        with placeholders(self.moving, self.name):
            return self.renderer.take(part)

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

    def _holders(self) -> tuple[dict[Artist, list[Artist]], set[Artist]]:
        """The parts that place what moves (the axis of a label, the legend of a text) with that, and what else is in them."""
        held, within = {}, set()
        for part in self.parts:
            if part not in within:
                inside = part.findobj(include_self=False)
                moving = [artist for artist in inside if artist in self.moving]
                if moving:
                    held[part] = moving
                    within.update(inside)
        return held, within

    def _follows(self, part) -> bool:
        """Whether a part of it is placed or cut by an artist that moves, and so moves untouched."""
        leaders = []
        for artist in part.findobj():
            leaders += [getattr(artist, name, None) for name in ("xycoords", "anncoords", "boxcoords", "patchA", "patchB")]
            leaders.append(getattr(artist.get_clip_path(), "_patch", None))
        flat = [leader for entry in leaders for leader in (entry if isinstance(entry, tuple) else (entry,))]
        return any(isinstance(leader, Artist) and any(artist in self.moving for artist in leader.findobj()) for leader in flat)

    def _frames(self) -> list:
        zorders = [artist.get_zorder() for artist in (*self.moving, *self.parts)]
        return [tuple(self.fig.get_size_inches()), zorders, *(_frame(ax, probes) for ax, probes in self.axes)]


def _refuse_still(part) -> None:
    """Raise for what Matplotlib's SVG backend, which draws the still parts, draws otherwise than the others."""
    if isinstance(part, AxesImage) and part.get_alpha() is not None and part.get_clip_path() is not None:
        raise RuntimeError(f"{part} has an alpha and is clipped by another path than a rectangle; return it from update, too")
    if isinstance(part, Collection) and len(getattr(part, "get_sizes", list)()) > max(1, len(part.get_offsets())):
        raise RuntimeError(f"{part} has more sizes than points; give each point one, or all of them the same")


def _probes(ax) -> np.ndarray:
    """Four points in data coordinates; where they are drawn tells of every change of a scale or projection."""
    with np.errstate(all="ignore"):
        return ax.transData.inverted().transform(ax.transAxes.transform([(0, 0), (1, 0), (0, 1), (0.7, 0.4)]))


def _frame(ax, probes) -> tuple:
    """All that places what an axes holds: a change of it moves artists that nobody has touched."""
    with np.errstate(all="ignore"):
        places = np.round(ax.transData.transform(probes), 3)
    view = ax.get_proj().tobytes() if hasattr(ax, "get_proj") else None
    angle = ax.get_rlabel_position() if hasattr(ax, "get_rlabel_position") else None
    return (ax.get_xlim(), ax.get_ylim(), ax.get_xscale(), ax.get_yscale(), places.tobytes(), view, angle,
            ax.get_position().bounds, ax.get_aspect(), ax.get_box_aspect(), ax.get_adjustable(), ax.get_anchor(),
            ax.get_visible(), ax.axison, ax.get_frame_on and ax.get_frame_on(), ax.get_zorder(), ax.get_axisbelow())


def _is_solid(artist) -> bool:
    """Whether it is of those collections and patches that a 3-D axes projects and sorts by depth before it draws."""
    return hasattr(artist, "do_3d_projection")


def other_order(a, b) -> RuntimeError:
    """What to raise where two artists of a 3-D axes change their order."""
    return RuntimeError(f"{a} and {b} lie one behind the other in another order than before; "
                        "set ax.computed_zorder = False and give them a zorder")


class _Solids:
    """What a 3-D axes draws in the order of depth, for which a page has one order, back to front, for all states."""

    def __init__(self, ax, moving: dict):
        self.ax, self.moving = ax, moving
        self.children = ax.get_children()
        self.still = {child: child.do_3d_projection() for child in self.children
                      if _is_solid(child) and child not in moving and child.get_visible()}
        self.before = {child: {} for child in self.children}  # a child -> those directly behind it in some state
        self.order = self.children

    def check(self) -> None:
        """Project those that move, and raise if no order suits this state and those before."""
        visible = [child for child in self.children if child.get_visible()]
        moving = {child: child.do_3d_projection() for child in visible if _is_solid(child) and child in self.moving}
        if not self.ax.computed_zorder:
            return
        known = sum(map(len, self.before.values()))
        for behind, child in itertools.pairwise(self._drawn(visible, self.still | moving)):
            self.before[child][behind] = None
        if sum(map(len, self.before.values())) > known:
            try:
                self.order = list(TopologicalSorter(self.before).static_order())
            except CycleError as error:
                a, b, *_ = error.args[1]
                raise other_order(a, b) from None

    def _drawn(self, visible: list[Artist], depths: dict) -> list[Artist]:
        """Back to front, as `Axes3D.draw` sorts; what is empty (its depth is NaN) left out."""
        zorders = {child: child.get_zorder() for child in visible}
        first = max(axis.get_zorder() for axis in self.children if isinstance(axis, Axis)) + 1
        ranked = sorted((child for child in visible if _is_solid(child)), key=depths.get, reverse=True)  # farthest first
        for kind in (Collection, Patch):
            zorders |= {child: first + i for i, child in enumerate(child for child in ranked if isinstance(child, kind))}
        return sorted((child for child in visible if not np.isnan(depths.get(child, 0))), key=zorders.get)

    def in_order(self) -> list[tuple]:
        """Changes, for `replaced`, that make the axes draw in this order."""
        if not self.ax.computed_zorder:
            return []
        return [(self.ax, "computed_zorder", False), *((child, "zorder", rank) for rank, child in enumerate(self.order))]


def place_of(artist) -> tuple | None:
    """Where a plain text stands, in which font: one that has not been touched (`stale`) and stands so looks as it did.

    None for all else, which is drawn in every state.
    """
    if type(artist) is not Text or artist.get_bbox_patch() is not None:
        return None
    return *artist.get_transform().transform(artist.get_unitless_position()), hash(artist.get_fontproperties())


def _same(a: list[Mark], b: list[Mark]) -> bool:
    return len(a) == len(b) and all(map(_alike, a, b))


def _alike(a: Mark, b: Mark, tolerance: float = _SAME_PLACE) -> bool:
    return a[:3] == b[:3] and a.points.shape == b.points.shape and bool((np.abs(a.points - b.points) < tolerance).all())


@contextmanager
def at_dpi(fig, dpi: float):
    """Draw with so many pixels an inch for a while; with 72 a pixel is a point, as in Matplotlib's SVG."""
    before, fig.dpi = fig.dpi, dpi
    try:
        yield
    finally:
        fig.dpi = before


def freeze_layout(fig) -> None:
    """Run a layout engine (constrained, tight) once and switch it off; keep legends where ``loc="best"`` puts them now."""
    fig.draw_without_rendering()
    fig.set_layout_engine("none")
    for legend in fig.findobj(Legend):
        if legend._get_loc() == 0:
            _freeze_legend(legend)
    for artist in fig.findobj(Artist.get_animated):
        artist.set_animated(False)  # makes no difference to a picture that is saved


def _freeze_legend(legend) -> None:
    """Name the place that was the best, so that the legend still grows from its corner."""
    best = legend.get_window_extent().get_points()

    def distance(location):
        legend.set_loc(location)
        return np.abs(legend.get_window_extent().get_points() - best).max()

    legend.set_loc(min(_LOCATIONS, key=distance))


def record(fig, update: Callable, grid: Grid, name: str):
    """Record `update` at all states of `grid`, and draw some of them afresh to see that nothing is missing.

    Returns
    -------
    recording : `Recording`.
    artists : what ``update`` returns, in order; artist i is slot ``str(i)``.
    clips : SVG content of each clip path -> its id (prefixed with `name`).

    Raises
    ------
    RuntimeError : ``update`` raised, returned other artists, drew what cannot
        be recorded, changed an axes or an artist that it does not return, or
        drew otherwise when it came to a state again; the message names the state.
    TypeError : ``update`` returned something that cannot be recorded.
    """
    with at_dpi(fig, 72):
        width, height = fig.get_size_inches() * 72
        renderer = MarkRenderer(width, height, clip_prefix=f"{name}-clip")
        plain = MarkRenderer(width, height, strict=False)
        plain.clips, plain.clip_prefix = renderer.clips, renderer.clip_prefix
        states = list(grid.states())
        first = states[grid.initial]
        artists = run(update, first, name)
        with named(name, first):
            still = StillParts(fig, artists, plain, name)
        marks, places = {}, {}
        recording = Recording(grid.size)
        for number, state in enumerate(states):
            run_again(update, state, name, artists)
            with named(name, state):
                still.check()
                for slot, artist in enumerate(artists):
                    place = place_of(artist)
                    if artist.stale or place is None or place != places.get(slot):
                        marks[slot], places[slot] = renderer.take(artist), place
                    recording.add(number, str(slot), marks[slot])
        if artists:
            in_order = [change for solids in still.solids for change in solids.in_order()]
            _audit(fig, update, grid, name, recording, artists, plain, in_order)
            for thing, attribute, value in in_order:
                setattr(thing, attribute, value)
    used = set(re.findall(r"url\(#([^)]+)\)", " ".join(recording.styles)))
    return recording, artists, {content: clip for content, clip in renderer.clips.items() if clip in used}


def _audit(fig, update, grid: Grid, name: str, recording: Recording, artists: list[Artist], renderer: MarkRenderer,
           in_order: list[tuple]) -> None:
    """Come back to some states, draw the whole figure, and compare that with what the page will show."""
    states = list(grid.states())
    run_again(update, states[grid.initial], name, artists)
    with placeholders(artists, name), replaced(in_order):
        page = _drawing(fig, renderer)
    slots = {slot_id(name, slot): slot for slot in range(len(artists))}
    fine = MarkRenderer(renderer.width, renderer.height, renderer.clip_prefix, strict=False, scale=_FINE)
    fine.clips = renderer.clips
    for number in audited(grid):
        run_again(update, states[number], name, artists)
        shown = []
        for artist, mark in page:
            if mark.tag == "slot":
                slot = slots[mark.body]
                recorded = (recording.mark(track, number) for track in recording.tracks(str(slot)))
                shown += [(artists[slot], mark) for mark in recorded if mark]
            else:
                shown.append((artist, mark))
        with named(name, states[number]):
            drawn = _drawing(fig, renderer)
            _compare(drawn, shown)
            with at_dpi(fig, 72 * _FINE):
                _refuse_pixels(drawn, _drawing(fig, fine))


def _refuse_pixels(coarse: list, fine: list) -> None:
    """Raise unless the figure, drawn with one pixel a point and with more, looks the same."""
    for (artist, mark), (_, other) in itertools.zip_longest(coarse, fine, fillvalue=(None, None)):
        if isinstance(artist, Line2D) and artist.get_marker() == ",":
            continue  # one pixel, whatever that is
        if mark is None or other is None or not _alike(_without_png(mark), _without_png(other), _HALF_A_PIXEL):
            raise RuntimeError(f"{artist} is placed or sized in pixels, which a page does not have; place it in points, or in an axes")


def _without_png(mark: Mark) -> Mark:
    return mark._replace(body=mark.body.partition(":")[0]) if mark.tag == "image" else mark


def _compare(drawn: list, shown: list) -> None:
    """Raise unless both, lists of (artist, mark), look the same."""
    if len(drawn) == len(shown) and all(_alike(a, b) for (_, a), (_, b) in zip(drawn, shown)):
        return
    nothing = [(None, Mark("", "", "", np.empty((0, 2))))] * abs(len(drawn) - len(shown))
    pairs = zip(drawn + nothing, shown + nothing)
    artist, instead = next((a or b, b) for (a, mark), (b, other) in pairs if not _alike(mark, other))
    place = "" if instead in (None, artist) else f" where the page shows {instead}"
    raise RuntimeError(
        f"the page would not show {artist} as Matplotlib draws it{place}: update, called again, drew something else "
        "(is there chance in it, or does it add to what it did before?), or something that this artist depends on "
        "changed and is not returned"
    )


def audited(grid: Grid) -> list[int]:
    """The numbers of the states to draw: first, last, the widgets' own, and some with every part of every range among them."""
    chosen = np.random.default_rng(0)
    if grid.size <= _AUDITED + 3:
        numbers = np.arange(grid.size)
    else:
        numbers = np.zeros(_AUDITED, int)
        for control in grid.controls:
            strata = (chosen.permutation(_AUDITED) + chosen.random(_AUDITED)) / _AUDITED
            numbers += (strata * len(control.values)).astype(int) * grid.strides[control.name]
        numbers = np.unique([*numbers, 0, grid.size - 1, grid.initial])
    return [int(number) for number in chosen.permutation(numbers)]


def _drawing(fig, renderer: MarkRenderer) -> list[tuple[Artist, Mark]]:
    """All that the figure draws, back to front, and which artist draws it."""
    renderer.marks = []
    owners, open_artists = [], []

    def up_to_now():
        owners.extend(open_artists[-1:] * (len(renderer.marks) - len(owners)))

    def note(artist, draw, renderer):
        up_to_now()
        open_artists.append(artist)
        draw(renderer)
        up_to_now()
        open_artists.pop()

    with replaced([(artist, "draw", partial(note, artist, artist.draw)) for artist in fig.findobj()]):
        fig.draw(renderer)
    return list(zip(owners, renderer.marks, strict=True))


@contextmanager
def named(name: str, state: dict):
    """Say of which figure and state an error is."""
    try:
        yield
    except Exception as error:
        raise RuntimeError(f"{name}: {error} [at {describe(state)}]") from error


def run(update, state, name) -> list[Artist]:
    try:
        returned = update(**state)
    except Exception as error:
        raise RuntimeError(f"{name}: update raised {type(error).__name__} at {describe(state)}: {error}") from error
    try:
        return list(dict.fromkeys(artists_of(returned)))  # each once
    except TypeError as error:
        raise TypeError(f"{name}: {error} [at {describe(state)}]") from None


def run_again(update, state, name, artists: list[Artist]) -> None:
    returned = run(update, state, name)
    if len(returned) != len(artists) or any(a is not b for a, b in zip(returned, artists)):
        raise RuntimeError(f"{name}: update returned other artists at {describe(state)} than before")
