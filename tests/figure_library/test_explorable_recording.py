"""What a recording refuses, and that its bytes hold what was put in."""

import base64
import json
import re
import struct
import zlib

import ipywidgets as w
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib.transforms import Affine2D, Bbox

from explorable import explore, recorder
from explorable.controls import Grid, make_control
from explorable.figure import RECORD
from explorable.marks import Mark
from explorable.recording import Recording
from samples import every_artist

SLIDER = make_control("n", w.IntSlider(min=0, max=3))


@pytest.fixture
def ax(monkeypatch):
    monkeypatch.setenv(RECORD, "1")
    fig, ax = plt.subplots(figsize=(3, 2))
    ax.set(xlim=(0, 2), ylim=(0, 2))
    ax.plot([0, 1], [0, 1], label="still")
    yield ax
    plt.close(fig)


def record(ax, update):
    return explore(ax.figure, update, id="fig-a", alt="A.", caption="A.", n=w.IntSlider(min=0, max=3))


def plain(ax):
    text = ax.text(0.5, 0.5, "a")
    text.shift = Affine2D()
    text.set_transform(text.shift + ax.transData)
    return text


def boxed(ax):
    return ax.text(0.5, 0.5, "a", bbox=dict(facecolor="C9"))


@pytest.mark.parametrize("make, change", [
    (plain, lambda text, n: text.set_text(f"{n}")),
    (plain, lambda text, n: text.set(color=f"C{n}")),
    (plain, lambda text, n: text.set(position=(n, 0))),
    (plain, lambda text, n: text.set(visible=n % 2)),
    (plain, lambda text, n: text.shift.clear().translate(n / 2, 0)),
    (plain, lambda text, n: text.get_fontproperties().set_size(10 + n)),
    (boxed, lambda text, n: text.get_bbox_patch().set(facecolor=f"C{n}")),
    (lambda ax: ax.annotate("a", (0, 0), (1, 1), arrowprops={}), lambda text, n: setattr(text, "xy", (n / 4, 0))),
])
def test_every_change_of_a_text_is_recorded(ax, make, change):
    text = make(ax)
    recording, _, _ = recorder.record(ax.figure, lambda n: (change(text, n), text)[1], Grid([SLIDER]), "fig-a")
    marks = [[recording.mark(track, n) for track in recording.tracks("0")] for n in range(4)]
    shown = [str([mark and (mark[:3], mark.points.tolist()) for mark in state]) for state in marks]
    assert all(a != b for a, b in zip(shown, shown[1:]))


def test_an_untouched_text_is_drawn_once(ax, monkeypatch):
    text = ax.text(1, 1, "a")
    drawn = []
    monkeypatch.setattr(text, "draw", lambda renderer: drawn.append(type(text).draw(text, renderer)), raising=False)
    recording, _, _ = recorder.record(ax.figure, lambda n: [text], Grid([SLIDER]), "fig-a")
    assert len(drawn) == 1 + 2 * 4  # in the first state, and in the audit of all four, at two dpi
    assert all(recording.mark(*recording.tracks("0"), n).body == "0:a" for n in range(4))


# Refusals: each names the figure, the reason and the state -------------------

def at_two(do):
    """An update that moves a line and calls `do(ax)` at n=2 only."""
    def make(ax):
        line, = ax.plot([0, 1])

        def update(n):
            line.set_ydata([0, n / 2])
            if n == 2:
                do(ax)
            return line,

        return update

    return make


@pytest.mark.parametrize("do, message", [
    (lambda ax: 1 / 0, "update raised ZeroDivisionError at n=2: division by zero"),
    (lambda ax: ax.set_xlim(0, 3), "limits, scale, view or place of an axes"),
    (lambda ax: ax.set_ylim(0, 3), "limits, scale, view or place of an axes"),
    (lambda ax: ax.set_yscale("symlog"), "limits, scale, view or place of an axes"),
    (lambda ax: ax.set_position([0.2, 0.2, 0.5, 0.5]), "limits, scale, view or place of an axes"),
    (lambda ax: ax.set_visible(False), "limits, scale, view or place of an axes"),
    (lambda ax: ax.set_axis_off(), "limits, scale, view or place of an axes"),
    (lambda ax: ax.figure.set_size_inches(4, 4), "limits, scale, view or place of an axes"),
    (lambda ax: ax.lines[1].set_zorder(9), "order in which artists are drawn"),
    (lambda ax: ax.plot([1, 2]), "added or removed an artist"),
    (lambda ax: ax.lines[0].remove(), "added or removed an artist"),
    (lambda ax: ax.set_title("new"), r"changed Text\(.*'new'\), but does not return it"),
    (lambda ax: ax.set_xlabel("new"), "changed XAxis.*set them once"),
    (lambda ax: ax.set_xticks([0, 2], ["a", "b"]), "changed XAxis.*set them once"),
    (lambda ax: ax.grid(True), "changed XAxis.*set them once"),
    (lambda ax: ax.lines[0].set_ydata([1, 0]), r"changed Line2D\(still\), but does not return it"),
    (lambda ax: ax.lines[0].set_color("r"), r"changed Line2D\(still\), but does not return it"),
    (lambda ax: ax.spines["left"].set_visible(False), "changed Spine.*does not return it"),
    (lambda ax: ax.figure.set_facecolor("r"), "changed Rectangle.*does not return it"),
    (lambda ax: ax.figure.suptitle("new"), "added or removed an artist"),
])
def test_a_change_that_is_not_returned_is_refused_and_the_state_named(ax, do, message):
    with pytest.raises(RuntimeError, match=rf"fig-a: .*{message}.*") as error:
        record(ax, at_two(do)(ax))
    assert "n=2" in str(error.value)


@pytest.mark.parametrize("part, change", [
    (lambda ax: ax.pcolormesh(np.eye(3)), lambda mesh: mesh.set_array(np.ones((3, 3)))),
    (lambda ax: ax.scatter([1, 2], [1, 2], c=[0, 1]), lambda cloud: cloud.set_array([1, 0])),
    (lambda ax: ax.bar([1], [1], hatch="/")[0], lambda bar: bar.set_hatch("x")),
    (lambda ax: ax.imshow(np.eye(2), extent=(0, 2, 0, 2)), lambda image: image.set_data(np.ones((2, 2)))),
    (lambda ax: ax.legend(), lambda legend: legend.get_texts()[0].set_text("other")),
    (lambda ax: ax.figure.text(0, 0, "a"), lambda text: text.set_text("b")),
    (lambda ax: ax.twinx().plot([0, 1])[0], lambda line: line.set_ydata([1, 1])),
])
def test_so_is_one_of_any_other_part(ax, part, change):
    still = part(ax)
    ax.set(xlim=(0, 2), ylim=(0, 2))
    with pytest.raises(RuntimeError, match=r"(?s)fig-a: update changed .* does not return it \[at n=2\]"):
        record(ax, at_two(lambda ax: change(still))(ax))


def test_limits_of_an_inset_count(ax):
    inset = ax.inset_axes([0.5, 0.5, 0.3, 0.3])
    with pytest.raises(RuntimeError, match=r"limits, scale, view or place.*n=2"):
        record(ax, at_two(lambda ax: inset.set_xlim(0, 7))(ax))


def test_setting_the_same_value_is_allowed(ax):
    ax.set_title("same")
    still = ax.lines[0]

    def same(ax):
        ax.set_title("same")
        ax.set(xlim=(0, 2), ylim=(0, 2), xlabel="")
        still.set_ydata([0, 1])
        ax.figure.set_size_inches(3, 2)

    assert record(ax, at_two(same)(ax))._html


def test_still_hatches_and_meshes_are_allowed(ax):
    ax.pcolormesh(np.eye(3), alpha=0.5)
    ax.bar([1], [1], hatch="//")
    ax.set(xlim=(0, 2), ylim=(0, 2))
    html = record(ax, at_two(lambda ax: None)(ax))._html
    assert "<pattern" in html and "url(#fig-a-" in html


@pytest.mark.parametrize("returned, message", [
    (lambda ax: None, r"update returned None; wanted the artists that it changes"),
    (lambda ax: 3, r"update returned 3; wanted the artists"),
    (lambda ax: "line", r"update returned 'line'; wanted the artists"),
    (lambda ax: [ax.lines[0], None], r"update returned None; wanted the artists"),
    (lambda ax: ax, "update returned a Axes, which cannot be recorded"),
    (lambda ax: ax.figure, "update returned a Figure, which cannot be recorded"),
    (lambda ax: ax.xaxis, "update returned a XAxis, which cannot be recorded"),
    (lambda ax: ax.pcolormesh(np.eye(2)), "update returned a QuadMesh, which cannot be recorded"),
])
def test_what_update_may_not_return(ax, returned, message):
    with pytest.raises(TypeError, match=message):
        record(ax, lambda n: returned(ax))


def test_what_update_may_not_return_later_names_the_state(ax):
    line = ax.lines[0]
    with pytest.raises(TypeError, match=r"fig-a: update returned None.*\[at n=2\]"):
        record(ax, lambda n: None if n == 2 else line)


@pytest.mark.parametrize("other", [lambda a, b: [b], lambda a, b: [a, b], lambda a, b: []])
def test_other_artists_at_some_state_are_refused(ax, other):
    a, = ax.plot([0, 1])
    b, = ax.plot([1, 0])
    with pytest.raises(RuntimeError, match="fig-a: update returned other artists at n=2 than before"):
        record(ax, lambda n: other(a, b) if n == 2 else [a])


def test_a_moving_hatch_is_refused(ax):
    bar, = ax.bar([1], [1], hatch="/")
    with pytest.raises(RuntimeError, match=r"fig-a: a hatch \(/\) cannot be recorded.*\[at n=0\]"):
        record(ax, lambda n: [bar])


def test_bad_mathtext_names_the_state(ax):
    text = ax.text(1, 1, "")
    with pytest.raises(RuntimeError, match=r"(?s)fig-a: .*frac.*\[at n=3\]"):
        record(ax, lambda n: text.set_text(r"$\frac{$" if n == 3 else "x") or text)


def test_containers_and_dictionaries_are_opened_and_what_they_lack_left_out(ax):
    bars, parts = ax.errorbar([0, 1], [1, 1], 0.3, fmt="none"), ax.boxplot([1, 2, 3])
    found = recorder.artists_of([bars, parts])
    assert found == [*bars.get_children(), *(artist for some in parts.values() for artist in some)] and None not in found


@pytest.mark.parametrize("returned", [lambda a, b: a, lambda a, b: [a, [b]], lambda a, b: (x for x in (a, b)), lambda a, b: [a, a, b, a]])
def test_artists_may_come_alone_nested_or_twice(ax, returned):
    a, = ax.plot([0, 1])
    b, = ax.plot([1, 0])
    html = record(ax, lambda n: returned(a, b))._html
    assert html.count('class="explorable-slot"') == (1 if returned(a, b) is a else 2)
    assert "draw" not in vars(a)


# The audit: what no check of every state sees ---------------------------------

def grid(*sizes):
    return Grid([make_control(f"n{k}", w.IntSlider(min=0, max=size - 1, value=size // 3)) for k, size in enumerate(sizes)])


def test_a_small_grid_is_drawn_afresh_in_every_state():
    assert sorted(recorder.audited(grid(2, 5))) == list(range(10))


@pytest.mark.parametrize("sizes", [(400,), (2, 8, 40), (5, 7, 1)])
def test_of_a_large_one_first_last_and_own_state_and_all_parts_of_every_range(sizes):
    controls = grid(*sizes)
    states = list(controls.states())
    numbers = recorder.audited(controls)
    assert {0, controls.size - 1, controls.initial} <= set(numbers) and len(set(numbers)) == len(numbers) <= 11
    for k, size in enumerate(sizes):
        eighths = {states[number][f"n{k}"] * 8 // size for number in numbers}
        assert len(eighths) == min(size, 8)
    assert numbers == recorder.audited(grid(*sizes))


@pytest.mark.parametrize("do, artist", [
    (lambda ax, n: ax.lines[0].get_path().vertices.__imul__(1 - n / 9), "Line2D"),
    (lambda ax, n: ax.texts[0].get_fontproperties().set_size(8 + n), "Text"),
    (lambda ax, n: ax.patches[0].get_path().vertices.__setitem__(0, (n, 0)), "Polygon"),
])
def test_a_change_that_leaves_no_trace_is_refused_and_the_artist_and_state_named(ax, do, artist):
    ax.text(1, 1, "still")
    ax.fill([0, 1, 1], [0, 0, 1])
    line, = ax.plot([0, 1])

    def update(n):
        do(ax, n)
        line.set_ydata([0, n / 2])
        return line

    with pytest.raises(RuntimeError, match=rf"fig-a: the page would not show {artist}.* as Matplotlib draws it.*\[at n=\d\]"):
        record(ax, update)


def test_what_depends_on_the_states_before_is_refused(ax):
    line, = ax.plot([0, 1])
    with pytest.raises(RuntimeError, match=r"fig-a: the page would not show Line2D.*add to what it did before.*\[at n=\d\]"):
        record(ax, lambda n: line.set_color("r") or line if n == 2 else line)


def test_an_audited_figure_is_drawn_otherwise_by_no_later_state(ax):
    """The states that the audit comes back to leave nothing behind."""
    line, = ax.plot([0, 1])
    record(ax, lambda n: line.set(ydata=[0, n], color=f"C{n}") and line)
    assert line.get_color() == "C0" and not any("draw" in vars(artist) for artist in ax.figure.findobj())


@pytest.mark.parametrize("make", [
    lambda ax: ax.legend(loc="upper right").get_texts()[0],
    lambda ax: ax.table([["a"]])[0, 0].get_text(),
])
def test_a_text_may_change_where_it_stands_in_another_artist_but_not_grow_out_of_it(ax, make):
    text = make(ax)
    assert record(ax, lambda n: text.set_color(f"C{n}") or text)._html
    text.set_text("a")
    with pytest.raises(RuntimeError, match=r"fig-a: (update changed (Legend|.*Table).*|the page would not show .*)\[at n=\d\]"):
        record(ax, lambda n: text.set_text("longer " * (n + 1)) or text)


@pytest.mark.parametrize("place", range(1, 11))
def test_a_legend_stays_where_it_is_best_in_the_first_state(ax, place, monkeypatch):
    legend = ax.legend(loc=place)
    monkeypatch.setattr(type(legend), "_find_best_position", lambda self, width, height, renderer: self._get_anchored_bbox(
        place, Bbox.from_bounds(0, 0, width, height), self.get_bbox_to_anchor(), renderer))
    ax.figure.draw_without_rendering()
    before = legend.get_window_extent().get_points()
    legend.set_loc("best")
    recorder.freeze_layout(ax.figure)
    assert legend._get_loc() in (place, 5, 7) if place in (5, 7) else legend._get_loc() == place
    np.testing.assert_allclose(legend.get_window_extent().get_points(), before)


def test_a_path_with_too_many_points_is_refused(ax):
    line, = ax.plot(np.linspace(0, 1, 70_000), np.linspace(0, 1, 70_000))
    with pytest.raises(RuntimeError, match="more than 65,535 points"):
        record(ax, lambda n: line)


def every_artist_under_one_slider():
    fig, update, controls = every_artist()
    return explore(fig, lambda n: update(n, gain=1, scale=0.1, size=4, kind="relu", cell="x", on=False),
                   id="fig-a", alt="A.", caption="A.", n=controls["n"])


def test_recording_leaves_the_figure_in_its_first_state(monkeypatch):
    monkeypatch.delenv(RECORD, raising=False)
    live = every_artist_under_one_slider()
    monkeypatch.setenv(RECORD, "1")
    recorded = every_artist_under_one_slider()
    assert recorded._html and live._html is None
    assert recorded.png() == live.png()
    assert recorded.fig.dpi == live.fig.dpi


def test_recording_twice_gives_the_same_page(monkeypatch):
    monkeypatch.setenv(RECORD, "1")
    assert every_artist_under_one_slider()._html == every_artist_under_one_slider()._html


# The bytes -------------------------------------------------------------------

def decode(data):
    """A decoder written from recording.py's description, apart from explorable.js: header and the arrays of each track."""
    data = zlib.decompress(data)
    size, = struct.unpack("<I", data[:4])
    header = json.loads(data[4:4 + size])
    place = 4 + size
    for track in header["tracks"]:
        for key in ("style", "body", "shape", "counts", "x", "y"):
            rows, columns, across, down = track[key]
            low, high = (np.frombuffer(data, np.uint8, rows * columns, place + k * rows * columns) for k in range(2))
            coded = low.astype(int) + 256 * high.astype(int)
            values = np.where(coded % 2, -(coded + 1) // 2, coded // 2).reshape(rows, columns)
            for _ in range(down):
                values = np.cumsum(values, axis=0)
            for _ in range(across):
                values = np.cumsum(values, axis=1)
            values %= 2**16
            if key in "xy":
                values = np.where(values >= 2**15, values - 2**16, values)
            track[key] = values
            place += 2 * rows * columns
    assert place == len(data)
    return header


extreme = st.sampled_from([-32767, -32766, -1, 0, 1, 32766, 32767]) | st.integers(-32767, 32767)
tenths = hnp.arrays(np.int16, st.tuples(st.integers(1, 9), st.just(2)), elements=extreme)
marks = st.none() | st.builds(lambda style, body, points, off: Mark("path", style, "codes:" + body, points / 10 + off),
                              st.sampled_from(["", "fill:red", "fill:blué"]), st.text(max_size=3), tenths,
                              st.sampled_from([-0.04, 0, 0.04]))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(marks, marks), min_size=1, max_size=12))
def test_every_state_survives_the_encoding(states):
    recording = Recording(len(states))
    for number, pair in enumerate(states):
        for slot, mark in enumerate(pair):
            recording.add(number, str(slot), [mark] if mark else [])
    header = decode(recording.to_bytes(["0", "1"], []))
    present = [slot for slot in (0, 1) if any(pair[slot] for pair in states)]
    assert len(header["tracks"]) == len(present) and header["states"] == len(states)
    for track, slot in zip(header["tracks"], present):
        for number, pair in enumerate(states):
            style, shape = track["style"][0, number], track["shape"][0, number]
            mark = pair[slot]
            if mark is None:
                assert style == 0
                continue
            assert header["styles"][style].strip() == mark.style
            assert header["bodies"][track["body"][0, number]] == mark.body
            count = track["counts"][0, shape]
            points = np.stack([track["x"][shape, :count], track["y"][shape, :count]], axis=1)
            np.testing.assert_array_equal(points, np.round(mark.points * 10))


def test_a_recorded_curve_is_in_the_page(ax):
    line, = ax.plot([0, 1, 2], [0, 0, 0])
    html = record(ax, lambda n: line.set_ydata([n / 2, 0, 1]) or line)._html
    data = re.search(r'class="explorable-recording">([^<]+)<', html)[1]
    track, = decode(base64.b64decode(data))["tracks"]
    box = ax.get_window_extent().transformed(ax.figure.dpi_scale_trans.inverted())
    for n in range(4):
        y = track["y"][track["shape"][0, n]] / 10
        wanted = 144 - 72 * (box.y0 + box.height * np.array([n / 2, 0, 1]) / 2)
        np.testing.assert_allclose(y, wanted, atol=0.06)


@pytest.mark.parametrize("points", [[[3277.0, 0]], [[0, -1e9]]])
def test_a_point_beyond_16_bits_is_refused(points):
    with pytest.raises(ValueError, match="3,276 is the furthest"):
        Recording(1).add(0, "0", [Mark("text", "", "0:a", np.array(points))])


def test_more_texts_than_16_bits_can_count_are_refused():
    recording = Recording(1)
    with pytest.raises(ValueError, match="more than 65,535 different texts"):
        for number in range(70_000):
            recording.add(0, "0", [Mark("text", "", f"0:{number}", np.zeros((1, 2)))])


@pytest.mark.parametrize("states", [
    ["PT", "PPT"],  # an arrow under the box of a text
    ["PPTPT", "PTPT", "PPTPT"],  # a legend that loses a handle
    ["T", "PT", "TP", "PTP"],
    ["TTT", "PTPT", "", "PTTTP"],
])
def test_tracks_keep_the_order_of_the_marks_in_every_state(states):
    tags = {"P": "path", "T": "text"}
    recording = Recording(len(states))
    drawn = [[Mark(tags[letter], "", f"{letter}{place}", np.zeros((1, 2))) for place, letter in enumerate(state)] for state in states]
    for number, marks in enumerate(drawn):
        recording.add(number, "0", marks)
    for number, marks in enumerate(drawn):
        shown = [recording.mark(track, number) for track in recording.tracks("0")]
        assert [mark[:3] for mark in shown if mark] == [mark[:3] for mark in marks]
    assert len(recording.tracks("0")) <= 6
