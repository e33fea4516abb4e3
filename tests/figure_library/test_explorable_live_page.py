"""A live figure draws, state by state, what its recording would hold, and refuses what a recording would refuse."""

import json
import re

import ipywidgets as w
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import Circle
from matplotlib.transforms import Affine2D

from explorable import Handle, explore
from explorable.figure import RECORD
from gallery import KINDS
from samples import every_artist, one_curve
from states import assert_drawn_as_recorded, clips_of, drawn

STATES = 3
DRAWN = ["plot_visible", "markers", "markers_on_markers", "errorbar", "scatter_colours", "contourf_shown_and_hidden", "quiver_key",
         "bar", "clip_path", "text_box", "mathtext", "annotate", "table", "legend", "imshow", "inset", "polar", "solid_scatter",
         "surfaces_one_by_one", "image_in_a_disc"]
REFUSED = ["pcolormesh", "hatch", "sketch", "view", "ticks", "zorder", "colorbar_changes", "solids_pass_each_other",
           "cut_by_what_moves", "note_on_what_moves", "legend_text_grows"]


@pytest.fixture(autouse=True)
def not_recording(monkeypatch):
    monkeypatch.delenv(RECORD, raising=False)


def of_kind(name):
    kind = KINDS[name]
    fig, ax = plt.subplots(figsize=(2, 1.5), subplot_kw=kind.axes, gridspec_kw=dict(left=0.25, right=0.9, bottom=0.3, top=0.8))
    return of(fig, kind.make(ax), n=w.IntSlider(min=0, max=STATES - 1))


def of(fig, update, id="fig-a", **options):
    return explore(fig, update, id=id, alt="A.", caption="A.", **options)


def data_of(live):
    return json.loads(re.search('<script type="application/json" class="explorable-live">(.*?)</script>', live.html())[1])


@pytest.mark.parametrize("name", DRAWN)
def test_a_state_is_drawn_as_it_is_recorded(name):
    assert_drawn_as_recorded(of_kind(name), [{"n": n} for n in (2, 0, 1, 2)])


def test_a_figure_of_every_artist_under_every_control():
    fig, update, controls = every_artist()
    few = dict(gain=w.SelectionSlider(options=[-1]), scale=w.SelectionSlider(options=[0.01]), cell=w.Dropdown(options=["1"]))
    explorable = of(fig, update, **controls | few)
    chosen = np.random.default_rng(0)
    assert_drawn_as_recorded(
        explorable, [{c.name: int(chosen.integers(len(c.values))) for c in explorable.grid.controls} for _ in range(12)])


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_recording_refuses_is_refused(name):
    with pytest.raises((RuntimeError, TypeError), match=KINDS[name].refused) as refused:
        list(drawn(of_kind(name).live(), [{"n": n} for n in range(STATES)]))
    assert name == "pcolormesh" or str(refused.value).startswith("fig-a: ") and "[at n=" in str(refused.value)  # by explore()


def test_the_html_is_that_of_the_recording_but_for_its_data(monkeypatch):
    fig, line, update, controls = one_curve()
    live = of(fig, update, handles=[], **controls).live()
    assert data_of(live) == {"controls": [{"name": "n", "labels": list("01234"), "keys": list("01234"), "stride": 1}]}
    monkeypatch.setenv(RECORD, "1")
    fig, line, update, controls = one_curve()
    recorded = of(fig, update, **controls)._repr_mimebundle_()[0]["text/html"]
    assert re.sub("<script.*?</script>", "", live.html()) == re.sub("<script.*?</script>", "", recorded)
    assert "explorable-recording" not in live.html() and "explorable-live" not in recorded


def test_a_label_cannot_end_the_script():
    fig, line, update, _ = one_curve()
    live = of(fig, update, n=w.Dropdown(options=[("</script><b>", 1), ("<!--", 2)])).live()
    assert data_of(live)["controls"][0]["labels"] == ["</script><b>", "<!--"]


def test_what_has_not_changed_is_null():
    fig, (left, right) = plt.subplots(1, 2)
    (a,), (b,), text = left.plot([0, 1], [0, 1]), right.plot([0, 1], [0, 1]), left.text(0, 0, "n")

    def update(n, m):
        a.set_ydata([0, n / 4])
        b.set_ydata([0, m / 4])
        text.set_text(f"n = {n}")
        return a, b, text

    slider = dict(min=0, max=4)
    live = of(fig, update, n=w.IntSlider(**slider), m=w.IntSlider(**slider)).live()
    assert live.state({"n": 0, "m": 0}) == [None, None, None]
    assert [slot is not None for slot in live.state({"n": 2, "m": 0})] == [True, False, True]
    assert [slot is not None for slot in live.state({"n": 2, "m": 3})] == [False, True, False]
    assert live.state({"n": 2, "m": 3}) == [None, None, None]


def test_a_figure_that_a_cell_drew_meanwhile_is_drawn_again():
    fig, ax = plt.subplots()
    text = ax.text(0, 0, "")

    def update(n):
        text.set_text(f"n = {n}")
        return text,

    explorable = of(fig, update, n=w.IntSlider(min=0, max=4))
    live = explorable.live()
    live.state({"n": 1})
    update(2)
    explorable.png()
    assert live.state({"n": 2})[0][0][2] == "0:n = 2"


def test_a_text_that_moves_with_something_else_is_drawn_again():
    fig, ax = plt.subplots()
    shift = Affine2D()
    text = ax.text(0.5, 0.5, "there", transform=shift + ax.transAxes)

    def update(n):
        shift.clear().translate(n / 20, 0)
        return text,

    live = of(fig, update, n=w.IntSlider(min=0, max=4)).live()
    (slot,), (moved,) = live.state({"n": 1}), live.state({"n": 2})
    assert moved[0][:3] == slot[0][:3] and moved[0][3][0] > slot[0][3][0]


def test_a_state_that_failed_is_made_good_by_the_next():
    fig, line, _, controls = one_curve()

    def update(n):
        line.set_ydata([0, n, 4 - n])
        1 / (n - 3)
        return line,

    live = of(fig, update, **controls).live()
    before = live.state({"n": 2})
    with pytest.raises(RuntimeError, match="^fig-a: update raised ZeroDivisionError at n=3: division by zero$"):
        live.state({"n": 3})
    assert live.state({"n": 2}) == [None]  # the page has that drawing still
    assert live.state({"n": 1}) != before


def test_the_still_parts_are_looked_at_when_the_reader_pauses():
    fig, line, _, controls = one_curve()

    def update(n):
        line.axes.title.set_text(str(n > 2))
        return line,

    live = of(fig, update, **controls).live()
    live.state({"n": 4})
    with pytest.raises(RuntimeError, match="update changed Text.*, but does not return it"):
        live.state({"n": 4}, check=True)
    live.state({"n": 0}, check=True)


def test_a_clip_path_that_the_page_has_not_is_told_once():
    fig, ax = plt.subplots()
    image = ax.imshow(np.eye(2))
    discs = [Circle((0.5, 0.5), radius, transform=ax.transData) for radius in (0.2, 0.4)]

    def update(n):
        image.set_clip_path(discs[n])
        return image,

    live = of(fig, update, n=w.IntSlider(min=0, max=1)).live()
    (slot,) = live.state({"n": 1})
    (clip, content), = live.new_clips().items()
    assert content.startswith("<path d=") and f"url(#{clip})" in slot[0][1] and clip not in clips_of(live)
    live.state({"n": 0})
    live.state({"n": 1})
    assert live.new_clips() == {}


def test_other_artists_than_before_are_refused():
    fig, line, _, controls = one_curve()
    live = of(fig, lambda n: [line] * (n < 3), **controls).live()
    with pytest.raises(RuntimeError, match="update returned other artists at n=4 than before"):
        live.state({"n": 4})


@pytest.mark.parametrize("indices, message", [
    ({}, "has the controls n; got none"),
    ({"n": 1, "m": 1}, "has the controls n; got n, m"),
    ({"n": 5}, "the control n has values 0 to 4; got 5"),
    ({"n": -1}, "the control n has values 0 to 4; got -1"),
    ({"n": "1"}, "the control n has values 0 to 4; got '1'"),
])
def test_a_setting_that_is_not_there_is_named(indices, message):
    fig, line, update, controls = one_curve()
    with pytest.raises(ValueError, match=message):
        of(fig, update, **controls).live().state(indices)


def test_handles_stand_in_the_html_and_are_checked():
    fig, ax = plt.subplots()
    point, = ax.plot([1], [1], "o")
    ax.set(xlim=(0, 4), ylim=(0, 4))

    def update(n):
        point.set_data([n if n < 4 else 0], [1])
        return point,

    live = of(fig, update, n=w.IntSlider(min=0, max=4, value=1), handles=[Handle(point, x="n")]).live()
    assert 'class="explorable-handle"' in live.html() and "data-x-places=" in live.html()
    assert live.state({"n": 3})[0][0][3]
    with pytest.raises(RuntimeError, match="n is 4, but the point's x is 0.0"):
        live.state({"n": 4})


def test_a_curve_that_is_hidden_at_first_can_be_pinned():
    fig, line, _, controls = one_curve()
    line.set_visible(False)

    def update(n):
        line.set_visible(n > 1)
        return line,

    assert "explorable-pin" in of(fig, update, **controls).live().html()
    fig, ax = plt.subplots()
    title = ax.set_title("")

    def name(n):
        title.set_text(str(n))
        return title,

    assert "explorable-pin" not in of(fig, name, **controls).live().html()


def test_a_figure_without_controls_is_still():
    live = explore(one_curve()[0], id="fig-a", alt="A.", caption="A.").live()
    assert "<svg" in live.html() and "<script" not in live.html() and "<form" not in live.html()
    assert live.state({}) == []


def test_the_figure_keeps_its_resolution():
    fig, line, update, controls = one_curve()
    before = fig.dpi
    live = of(fig, update, **controls).live()
    live.state({"n": 3})
    assert fig.dpi == before != 72
