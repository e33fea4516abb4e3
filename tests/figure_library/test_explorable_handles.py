"""Which handles are refused, and why."""

import ipywidgets as w
import matplotlib.pyplot as plt
import pytest
from matplotlib.transforms import Affine2D

from explorable import Handle, explore
from explorable.figure import RECORD


def figure(**kind):
    """A figure with a point that two sliders move; one more point, and axes of another figure."""
    fig, ax = plt.subplots(figsize=(2, 2), subplot_kw=kind)
    point, = ax.plot([1], [2], "o")
    if not kind:
        ax.set(xlim=(0, 4), ylim=(0, 4))
    return fig, point


CONTROLS = dict(a=lambda: w.IntSlider(min=0, max=4, value=1), b=lambda: w.FloatSlider(min=0, max=4, step=0.5, value=2),
                kind=lambda: w.Dropdown(options=["x", "y"]))


def explored(fig, handles, point, put=None, returned=None, **controls):
    def update(a, b, kind):
        point.set_data(*(put or (lambda a, b: ([a], [b])))(a, b))
        return returned or [point]

    controls = {name: make() for name, make in CONTROLS.items()} | controls
    return explore(fig, update, id="fig-a", alt="A point.", caption="A point.", handles=handles, **controls)


@pytest.fixture(autouse=True)
def not_recording(monkeypatch):
    monkeypatch.delenv(RECORD, raising=False)
    yield
    plt.close("all")


@pytest.mark.parametrize("options", [dict(x="a", y="b"), dict(x="a"), dict(y="b")])
def test_a_sound_one_is_taken(options):
    fig, point = figure()
    explorable = explored(fig, [Handle(point, **options)], point)
    explorable.grid.controls[0].widget.value = 3
    assert explorable.handles == (Handle(point, **options),)


@pytest.mark.parametrize("options, error, message", [
    (dict(x="c", y="b"), ValueError, r"Handle\(x='c', y='b'\): there is no control 'c'; there are a, b, kind"),
    (dict(x="kind"), TypeError, r"the control 'kind' is not numeric"),
    (dict(), ValueError, r"names no control; give it x, y or both"),
    (dict(x="a", y="a"), ValueError, r"names the control 'a' twice"),
])
def test_a_control_that_does_not_fit_is_named(options, error, message):
    fig, point = figure()
    with pytest.raises(error, match=message):
        explored(fig, [Handle(point, **options)], point)


@pytest.mark.parametrize("handles", [3, "ab", [("a", "b")], None])
def test_something_else_than_handles_is_named(handles):
    fig, point = figure()
    with pytest.raises(TypeError, match="handles is .*; wanted a list of Handle"):
        explored(fig, handles, point)


def test_a_single_handle_is_no_list():
    fig, point = figure()
    with pytest.raises(TypeError, match="wanted a list of Handle"):
        explored(fig, Handle(point, x="a"), point)


def test_axes_of_another_figure():
    (fig, point), (_, other) = figure(), figure()
    with pytest.raises(ValueError, match=r"Handle\(x='a'\): its point is not on axes of this figure"):
        explored(fig, [Handle(other, x="a")], point)


@pytest.mark.parametrize("projection, name", [("polar", "polar"), ("mollweide", "mollweide"), ("3d", "3d")])
def test_axes_that_are_not_straight(projection, name):
    fig, point = figure(projection=projection)
    with pytest.raises(ValueError, match=f"its point is on {name} axes; wanted axes with straight x and y"):
        explored(fig, [Handle(point, x="a")], point, put=lambda a, b: ([1], [1]), returned=[plt.Line2D([], [])])


@pytest.mark.parametrize("change, wanted", [
    (lambda ax: ax.set_xlim(0, 3.5), r"the control 'a' has the value 4, outside the axes, where x goes from 0 to 3.5"),
    (lambda ax: ax.set_xlim(4, 1), r"the control 'a' has the value 0, outside the axes, where x goes from 1 to 4"),
    (lambda ax: ax.set(yscale="log", ylim=(0.1, 10)), r"the control 'b' has the value 0.0, outside the axes, where y goes from 0.1 to 10"),
])
def test_values_outside_the_axes(change, wanted):
    fig, point = figure()
    change(point.axes)
    with pytest.raises(ValueError, match=wanted):
        explored(fig, [Handle(point, x="a", y="b")], point)


@pytest.mark.parametrize("style", ["-", "-o", "o--"])
def test_a_line_is_no_point(style):
    fig, point = figure()
    line, = point.axes.plot([1], [2], style)
    with pytest.raises(TypeError, match="its point is a line; wanted a marker alone"):
        explored(fig, [Handle(line, x="a")], line)


def test_other_artists_are_no_points():
    fig, point = figure()
    with pytest.raises(TypeError, match="its point is a PathCollection; wanted the line"):
        explored(fig, [Handle(point.axes.scatter([1], [2]), x="a")], point)


def test_a_point_that_update_does_not_return():
    fig, point = figure()
    other, = point.axes.plot([1], [2], "o")
    with pytest.raises(ValueError, match="update does not return its point"):
        explored(fig, [Handle(other, x="a")], point)


def test_a_point_with_another_transform():
    fig, point = figure()
    point.set_transform(Affine2D().scale(0.2) + point.axes.transAxes)
    with pytest.raises(ValueError, match="has a transform of its own"):
        explored(fig, [Handle(point, x="a")], point)


def test_two_handles_on_one_point():
    fig, point = figure()
    with pytest.raises(ValueError, match="two handles have the same point"):
        explored(fig, [Handle(point, x="a"), Handle(point, y="b")], point)


@pytest.mark.parametrize("put, message", [
    (lambda a, b: ([b], [b]), r"a is 1, but the point's x is 2.0"),
    (lambda a, b: ([a, a], [b, b]), r"has 2 points; wanted one"),
    (lambda a, b: ([float("nan")], [b]), r"a is 1, but the point's x is nan"),
])
def test_a_point_that_stands_elsewhere(put, message):
    fig, point = figure()
    with pytest.raises(ValueError, match=message):
        explored(fig, [Handle(point, x="a", y="b")], point, put=put)


def test_a_point_that_stands_elsewhere_in_some_state(monkeypatch):
    """In a build it fails the build; in a notebook the message stands under the figure."""
    fig, point = figure()
    explorable = explored(fig, [Handle(point, x="a", y="b")], point, put=lambda a, b: ([a], [min(b, 3)]))
    explorable._repr_mimebundle_()
    *_, message, _ = explorable._widget.children
    with pytest.raises(ValueError, match="b is 4.0, but the point's y is 3.0"):
        explorable.grid.controls[1].widget.value = 4
    assert "b is 4.0, but the point&#x27;s y is 3.0" in message.value
    monkeypatch.setenv(RECORD, "1")
    fig, point = figure()
    with pytest.raises(RuntimeError, match=r"fig-a: .*b is 3.5, but the point's y is 3.0"):
        explored(fig, [Handle(point, x="a", y="b")], point, put=lambda a, b: ([a], [min(b, 3)]))


def test_a_point_may_be_absent_in_some_states(monkeypatch):
    monkeypatch.setenv(RECORD, "1")
    fig, point = figure()
    explored(fig, [Handle(point, x="a")], point, put=lambda a, b: ([a], [b]) if b < 3 else ([], []))
