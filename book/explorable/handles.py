"""Handles: points of a figure that are dragged, and the controls that they move."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Callable, Iterable

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from explorable.controls import Control


@dataclass(frozen=True)
class Handle:
    """A point that the reader drags on the page, to move one or two sliders.

    The sliders stay, for the keyboard and for screen readers. In a notebook
    they are the only way: there the point follows them, but isn't dragged.

    Parameters
    ----------
    point : what ``ax.plot([x], [y], "o")`` returns in its list: a line of one
        marker, on axes with two straight axes of any scale. `update` moves
        and returns it.
    x : the name of the slider whose values are the point's x; None: dragging
        it sideways does nothing.
    y : the same, for y.
    """

    point: Line2D
    x: str | None = None
    y: str | None = None

    @property
    def names(self) -> dict[str, str]:
        """Axis ("x", "y") -> the name of its control."""
        return {axis: name for axis, name in (("x", self.x), ("y", self.y)) if name is not None}

    def check(self, state: dict) -> None:
        """Raise ValueError unless the point stands where `state` says."""
        places = self.point.get_xydata()
        if len(places) > 1:
            raise ValueError(f"{self} has {len(places)} points; wanted one")
        for axis, name in self.names.items():
            for place in places[:, "xy".index(axis)]:
                if not math.isclose(place, state[name], rel_tol=1e-6, abs_tol=1e-12):
                    raise ValueError(f"{self}: {name} is {state[name]!r}, but the point's {axis} is {float(place)!r}")

    def places(self, axis: str, control: Control) -> list[float]:
        """Where each value of a control stands along an axis: pixels from the left or the lower edge of the figure."""
        ax = self.point.axes
        corner = ax.get_xlim()[0], ax.get_ylim()[0]
        data = [(value, corner[1]) if axis == "x" else (corner[0], value) for value in control.values]
        return list(ax.transData.transform(data)[:, "xy".index(axis)])

    def __str__(self) -> str:
        return f"Handle({', '.join(f'{axis}={name!r}' for axis, name in self.names.items())})"


def check_handles(handles: Any, fig, controls: list[Control], artists: list[Artist]) -> tuple[Handle, ...]:
    """`handles` as a tuple, once all is well.

    Raises
    ------
    TypeError : something else than a `Handle`, its point no line of one marker, its control not numeric.
    ValueError : a control that is not there or has values outside the axes; axes of another figure, or
        polar or 3-D ones; a point with another transform than its axes' data, or that `update` does not return.
    """
    if not isinstance(handles, Iterable) or not all(isinstance(handle, Handle) for handle in handles):
        raise TypeError(f"handles is {handles!r}; wanted a list of Handle(point, x=..., y=...)")
    by_name = {control.name: control for control in controls}
    for handle in handles:
        _check_point(handle, fig, artists)
        if not handle.names:
            raise ValueError("a Handle names no control; give it x, y or both")
        if handle.x == handle.y:
            raise ValueError(f"{handle} names the control {handle.x!r} twice")
        for axis, name in handle.names.items():
            if name not in by_name:
                raise ValueError(f"{handle}: there is no control {name!r}; there are {', '.join(by_name) or 'none'}")
            _check_values(handle, axis, by_name[name])
    points = [handle.point for handle in handles]
    if len(set(points)) < len(points):
        raise ValueError("two handles have the same point")
    return tuple(handles)


def _check_point(handle: Handle, fig, artists: list[Artist]) -> None:
    point = handle.point
    if not isinstance(point, Line2D):
        raise TypeError(f"{handle}: its point is a {type(point).__name__}; wanted the line that ax.plot([x], [y], 'o') makes")
    if point.axes is None or point.axes not in fig.findobj(Axes):
        raise ValueError(f"{handle}: its point is not on axes of this figure")
    if point.axes.name != "rectilinear":
        raise ValueError(f"{handle}: its point is on {point.axes.name} axes; wanted axes with straight x and y")
    if point.get_transform() != point.axes.transData:
        raise ValueError(f"{handle}: its point has a transform of its own; wanted one in the data coordinates of its axes")
    if point.get_marker() in (None, "None", "none", " ", "") or point.get_linestyle() not in ("None", "none", " ", ""):
        raise TypeError(f"{handle}: its point is a line; wanted a marker alone, as ax.plot([x], [y], 'o') makes it")
    if point not in artists:
        raise ValueError(f"{handle}: update does not return its point")


def _check_values(handle: Handle, axis: str, control: Control) -> None:
    if not all(isinstance(value, (int, float, np.number)) and not isinstance(value, bool) for value in control.values):
        raise TypeError(f"{handle}: the control {control.name!r} is not numeric; wanted a slider of numbers")
    low, high = sorted(getattr(handle.point.axes, f"get_{axis}lim")())
    slack = 1e-9 * (high - low)
    outside = [value for value in control.values if not low - slack <= value <= high + slack]
    if outside:
        raise ValueError(f"{handle}: the control {control.name!r} has the value {outside[0]!r}, outside the axes, "
                         f"where {axis} goes from {low:g} to {high:g}")


def checked(update: Callable, handles: tuple[Handle, ...]) -> Callable:
    """`update`, which then checks that the point of each handle stands where its controls say."""

    def update_and_check(**state):
        returned = update(**state)
        for handle in handles:
            handle.check(state)
        return returned

    return update_and_check if handles else update
