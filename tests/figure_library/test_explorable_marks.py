"""Marks have the coordinates and styles of Matplotlib's own SVG."""

import base64
import io
import re
from xml.etree import ElementTree

import matplotlib
import matplotlib.patheffects as effects
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Circle, FancyArrowPatch, Wedge
from PIL import Image

from explorable.marks import MarkRenderer, path_data
from pages import parse_path

SVG = "{http://www.w3.org/2000/svg}"
WIDTH, HEIGHT = 288, 216


@pytest.fixture
def ax():
    with plt.rc_context({"path.simplify": False}):
        fig, ax = plt.subplots(figsize=(4, 3), dpi=72)
        ax.set(xlim=(0, 10), ylim=(0, 10))
        yield ax
        plt.close(fig)


def marks_of(artist, **options):
    artist.figure.draw_without_rendering()
    return MarkRenderer(WIDTH, HEIGHT, **options).take(artist)


def matplotlib_svg(artist):
    """The group that Matplotlib's SVG backend makes of `artist`."""
    artist.set_gid("target")
    buffer = io.BytesIO()
    with plt.rc_context({"svg.fonttype": "none"}):
        artist.figure.savefig(buffer, format="svg")
    artist.set_gid(None)
    return next(g for g in ElementTree.fromstring(buffer.getvalue()).iter() if g.get("id") == "target")


def style_of(text):
    return dict(re.findall(r"([\w-]+):\s*([^;]+)", text))


def d_of(mark):
    kind, _, rest = mark.body.partition(":")
    assert kind == "codes"
    return path_data(rest, mark.points)


def assert_same_paths(artist, attributes=("fill", "stroke", "stroke-width", "stroke-dasharray", "fill-opacity", "stroke-opacity")):
    """Every path of Matplotlib's SVG, in order, with its style, to the 0.1 that is recorded."""
    mine = marks_of(artist)
    theirs = [p for p in matplotlib_svg(artist).iter(f"{SVG}path")]
    assert len(mine) == len(theirs) > 0
    for mark, path in zip(mine, theirs):
        pieces, wanted = parse_path(d_of(mark)), parse_path(path.get("d"))
        assert [p.shape for p in pieces] == [p.shape for p in wanted]
        for piece, want in zip(pieces, wanted):
            np.testing.assert_allclose(piece, want, atol=0.051)
        ours, svg = style_of(mark.style), style_of(path.get("style"))
        if "opacity" in svg:
            svg = {"fill-opacity": svg["opacity"], "stroke-opacity": svg["opacity"]} | svg
        for name in attributes:
            if ours.get("stroke") is None and name.startswith("stroke"):
                continue
            if ours.get("fill") == "none" and name == "fill-opacity":
                continue
            want = {"#000000": "currentColor", "#ffffff": "var(--explorable-page)"}.get(svg.get(name), svg.get(name))
            default = {"stroke-width": "1", "fill-opacity": "1", "stroke-opacity": "1", "fill": "currentColor"}.get(name)
            same_number = [float(n) for n in re.findall(r"[\d.]+", ours.get(name) or default or "")], \
                [float(n) for n in re.findall(r"[\d.]+", want or default or "")]
            if name in ("fill", "stroke"):
                assert ours.get(name) == (want or default), name
            else:
                np.testing.assert_allclose(*same_number, rtol=2e-3, err_msg=name)


def test_a_line(ax):
    assert_same_paths(ax.plot(np.linspace(0, 10, 200), 5 + 5 * np.sin(np.arange(200)), lw=2.5)[0])


@pytest.mark.parametrize("scales", [("log", "log"), ("symlog", "linear"), ("linear", "logit")])
def test_scaled_axes(ax, scales):
    x, y = np.linspace(0.1, 9, 50), np.linspace(0.01, 0.99, 50)
    line, = ax.plot(x, y)
    ax.set(xscale=scales[0], yscale=scales[1], xlim=(0.05, 10), ylim=(0.005, 0.995))
    assert_same_paths(line)


def test_gaps(ax):
    y = np.array([1, 2, np.nan, 4, 5, np.inf, np.nan, 3, -np.inf, 2, 1])
    line, = ax.plot(np.arange(11), y)
    assert_same_paths(line)


@pytest.mark.parametrize("style", ["steps-pre", "steps-mid", "steps-post"])
def test_steps(ax, style):
    assert_same_paths(ax.plot(np.arange(11), np.arange(11) % 4, drawstyle=style)[0])


@pytest.mark.parametrize("options", [
    {"ls": "--"}, {"ls": ":", "lw": 3}, {"ls": (2, (5, 1, 2, 1))}, {"color": "k"}, {"color": "w"}, {"color": "#12345680"}, {"color": "C2", "alpha": 0.25}])
def test_line_styles(ax, options):
    line, = ax.plot([1, 5, 9], [1, 8, 3], **options)
    assert_same_paths(line)
    if options["ls"][0] == 2 if "ls" in options else False:
        assert "stroke-dashoffset" in marks_of(line)[0].style


def test_caps_and_joins(ax):
    line, = ax.plot([1, 5, 9], [1, 8, 3], solid_capstyle="projecting", solid_joinstyle="bevel")
    style = style_of(marks_of(line)[0].style)
    assert (style["stroke-linecap"], style["stroke-linejoin"]) == ("square", "bevel")


def window(ax, margin=11):
    """The axes in SVG points, with the margin that is kept beyond it (10, and Matplotlib adds 1 to that of a line)."""
    box = ax.get_window_extent()
    return box.x0 - margin, box.x1 + margin, HEIGHT - box.y1 - margin, HEIGHT - box.y0 + margin


def place(ax, x, y):
    x, y = ax.transData.transform(np.transpose([x, y])).T
    return x, HEIGHT - y


@pytest.mark.parametrize("far", [1e4, 1e30, 1e300, -1e300])
def test_a_value_far_outside_is_cut_on_the_line_to_it(ax, far):
    line, = ax.plot([2, 4, 6, 8], [5, 5, far, 5])
    first, second = parse_path(d_of(marks_of(line)[0]))
    left, right, top, bottom = window(ax)
    edge = top if far > 0 else bottom
    np.testing.assert_allclose(first[0], place(ax, 2, 5), atol=0.06)
    np.testing.assert_allclose(second[-1], place(ax, 8, 5), atol=0.06)
    for cut, start, end in ((first[-1], 4, 6), (second[0], 8, 6)):
        slope = (edge - place(ax, 0, 5)[1]) / (place(ax, 0, far)[1] - place(ax, 0, 5)[1])
        np.testing.assert_allclose(cut, (place(ax, start + slope * (end - start), 5)[0], edge), atol=0.06)


def test_tiny_values_on_a_log_axis(ax):
    line, = ax.plot([0, 10], [1, 1e-300])
    ax.set(yscale="log", ylim=(1e-3, 1))
    piece, = parse_path(d_of(marks_of(line)[0]))
    np.testing.assert_allclose(piece[0], place(ax, 0, 1), atol=0.06)
    bottom = window(ax)[3]
    decades = 3 * (bottom - place(ax, 0, 1)[1]) / (place(ax, 0, 1e-3)[1] - place(ax, 0, 1)[1])
    np.testing.assert_allclose(piece[-1], (place(ax, 10 * decades / 300, 1)[0], bottom), atol=0.06)


def test_zero_on_a_log_axis_falls_off_the_picture(ax):
    line, = ax.plot([0, 5, 10], [1, 0, 1])
    ax.set(yscale="log", ylim=(1e-3, 1))
    pieces = parse_path(d_of(marks_of(line)[0]))
    assert max(piece[:, 1].max() for piece in pieces) <= window(ax)[3] + 0.06
    assert len(pieces) == 2


def test_all_values_missing_draws_nothing(ax):
    assert marks_of(ax.plot([1, 2], [np.nan, np.inf])[0]) == []


def test_invisible_draws_nothing(ax):
    line, = ax.plot([1, 2])
    line.set_visible(False)
    assert marks_of(line) == []


def test_markers(ax):
    line, = ax.plot([1, 2, 3, 50, np.nan], [4, 5, 6, 7, 8], "s", ms=8, mfc="w", mec="C1")
    mark, = marks_of(line)
    uses = [(float(u.get("x")), float(u.get("y"))) for u in matplotlib_svg(line).iter(f"{SVG}use")]
    np.testing.assert_allclose(mark.points, uses[:3], atol=0.05)  # the fourth is far outside
    assert mark.body == "stamp:m-4 4l8 0l0 -8l-8 0z" and len(mark.points) == 3
    assert style_of(mark.style)["fill"] == "var(--explorable-page)" and style_of(mark.style)["stroke"] == "#ff7f0e"


def test_a_big_marker_beyond_the_edge_still_reaches_into_the_picture(ax):
    beyond = 20 * 10 / ax.get_window_extent().width  # 20 points
    for x in (-beyond, 10 + beyond):
        assert marks_of(ax.plot([x], [5], "o", ms=60)[0])
        assert not marks_of(ax.plot([x], [5], "o", ms=8)[0])


def test_scatter_with_sizes_and_colours(ax):
    cloud = ax.scatter([1, 2, 3, 4], [1, 4, 2, 3], s=[10, 40, 90, 160], c=["C0", "C0", "C1", "k"])
    marks = marks_of(cloud)
    outlines = [parse_path(path.get("d"))[0] for path in matplotlib_svg(cloud).iter(f"{SVG}path")]
    points = np.concatenate([mark.points for mark in marks])
    np.testing.assert_allclose(points, [(o.max(axis=0) + o.min(axis=0)) / 2 for o in outlines], atol=0.05)
    fills = [style_of(mark.style)["fill"] for mark in marks for _ in mark.points]
    assert fills == ["#1f77b4", "#1f77b4", "#ff7f0e", "currentColor"]
    for mark, size in zip(marks, [10, 40, 90, 160]):
        outline = parse_path("M0 0" + mark.body.removeprefix("stamp:"))[-1]
        assert np.ptp(outline[:, 0]) == pytest.approx(np.sqrt(size), abs=0.05)


def test_sizes_beyond_the_points_draw_nothing(ax):
    cloud = ax.scatter([1, 2, 3], [1, 2, 3], s=[10, 40, 90])
    cloud.set_offsets([[1, 1], [2, 2]])
    sizes = [np.ptp(parse_path("M0 0" + mark.body.removeprefix("stamp:"))[-1][:, 0]) for mark in marks_of(cloud)]
    np.testing.assert_allclose(sizes, np.sqrt([10, 40]), atol=0.05)


def test_line_collection(ax):
    assert_same_paths(ax.add_collection(LineCollection(
        [[(1, 1), (5, 9)], [(2, 2), (3, 8), (9, 1)], [(0, 5), (10, 5)]], colors=["C0", "C1", "C2"], linewidths=[1, 2, 3])))


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_bars(ax, scale):
    bars = ax.bar([1, 4, 7], [2, 9, 5], color=["C0", "C1", "k"], alpha=0.5, ec="k")
    ax.set(yscale=scale, ylim=(1e-3, 100) if scale == "log" else (0, 10))
    if scale == "linear":
        for bar in bars:
            assert_same_paths(bar)
        return
    for bar, left, height in zip(bars, (1, 4, 7), (2, 9, 5)):  # Matplotlib's own ends 1000 decades down
        piece, = parse_path(d_of(marks_of(bar)[0]))
        x0, y0 = place(ax, left - 0.4, height)
        x1, _ = place(ax, left + 0.4, height)
        np.testing.assert_allclose([piece[:, 0].min(), piece[:, 0].max(), piece[:, 1].min(), piece[:, 1].max()],
                                   [x0, x1, y0, window(ax, 10)[3]], atol=0.06)


def test_fill_between(ax):
    x = np.linspace(0, 10, 30)
    area = ax.fill_between(x, x / 2, x, alpha=0.3)
    assert_same_paths(area)
    before, = marks_of(area)
    area.set_edgecolor("k")  # Matplotlib now draws it as if it were a marker
    assert d_of(marks_of(area)[0]) == d_of(before)


@pytest.mark.parametrize("options", [{}, {"color": "C3"}])
@pytest.mark.parametrize("far", [1e5, 1e300])
def test_an_area_far_outside_is_cut_at_the_window(ax, far, options):
    area = ax.fill_between([2, 8], [1, 1], [far, far], **options)
    piece = np.concatenate(parse_path(d_of(marks_of(area)[0])))
    left, bottom = place(ax, 2, 1)
    right, _ = place(ax, 8, 1)
    np.testing.assert_allclose([piece[:, 0].min(), piece[:, 0].max(), piece[:, 1].max(), piece[:, 1].min()],
                               [left, right, bottom, window(ax, 10)[2]], atol=0.06)


@pytest.mark.parametrize("patch", [
    Circle((5, 5), 3), Wedge((5, 5), 3, 20, 200, width=1), FancyArrowPatch((1, 1), (8, 6), connectionstyle="arc3,rad=0.3", mutation_scale=20)])
def test_curved_patches(ax, patch):
    assert_same_paths(ax.add_patch(patch))


def test_a_curve_that_reaches_far_outside_is_refused(ax):
    with pytest.raises(NotImplementedError, match="curved path reaches far outside"):
        marks_of(ax.add_patch(Circle((5, 5), 1e6)))


def test_path_effects(ax):
    assert_same_paths(ax.plot([1, 9], [1, 8], path_effects=[effects.withStroke(linewidth=6, foreground="r")])[0])
    text = ax.text(1, 1, "halo", path_effects=[effects.withStroke(linewidth=3, foreground="w")])
    assert [mark.tag for mark in marks_of(text)] == ["path", "path"]


@pytest.mark.parametrize("options", [{}, {"ha": "right"}, {"ha": "center", "va": "top"}, {"rotation": 30}, {"rotation": 270}, {"clip_on": True}])
def test_text(ax, options):
    text = ax.text(5, 5, " x < 3", fontsize=12, color="C1", alpha=0.5, weight="bold", style="italic", **options)
    mark, = marks_of(text)
    theirs = next(matplotlib_svg(text).iter(f"{SVG}text"))
    angle, _, string = mark.body.partition(":")
    assert (string, float(angle)) == (" x < 3", -options.get("rotation", 0) % 360)
    if options.get("rotation"):
        wanted = [float(n) for n in re.search(r"translate\((\S+) (\S+)\)", theirs.get("transform")).groups()]
    else:
        wanted = [float(theirs.get("x")), float(theirs.get("y"))]
    np.testing.assert_allclose(mark.points[0], wanted, atol=0.06)
    style = style_of(mark.style)
    assert (style["fill"], style["font-size"], style["font-weight"], style["font-style"]) == ("#ff7f0e", "12px", "700", "italic")
    assert float(style["fill-opacity"]) == 0.5
    assert style.get("text-anchor") == {"right": "end", "center": "middle"}.get(options.get("ha"))
    assert ("clip-path" in style) == bool(options.get("clip_on"))


def test_rotated_right_aligned_text_ends_where_matplotlib_ends_it(ax):
    text = ax.text(5, 5, "turned", rotation=90, ha="right", va="top")
    mark, = marks_of(text)
    box = text.get_window_extent()
    assert mark.points[0, 1] == pytest.approx(HEIGHT - box.y1, abs=1)  # read upwards, its end is on top
    assert box.x0 < mark.points[0, 0] <= box.x1 + 1


def test_lines_of_text_are_texts(ax):
    marks = marks_of(ax.text(5, 5, "one\n\nthree", ha="right"))
    assert [mark.body for mark in marks] == ["0:one", "0:three"]
    renderer = MarkRenderer(WIDTH, HEIGHT)
    ends = [m.points[0, 0] + renderer.get_text_width_height_descent(m.body[2:], plt.Text().get_fontproperties(), False)[0] for m in marks]
    np.testing.assert_allclose(ends, place(ax, 5, 5)[0], atol=0.1)
    assert marks[0].points[0, 1] < marks[1].points[0, 1]


@pytest.mark.parametrize("string, shown", [("cost 5 $", "cost 5 $"), (r"5 \$ and 6 \$", "5 $ and 6 $"), ("<b> & \"c\"", "<b> & \"c\""), ("β→∞", "β→∞")])
def test_text_is_kept_to_the_letter(ax, string, shown):
    assert [mark.body for mark in marks_of(ax.text(5, 5, string))] == ["0:" + shown]


def test_empty_text_draws_nothing(ax):
    assert marks_of(ax.text(5, 5, "")) == []


def test_text_far_outside_draws_nothing(ax):
    assert marks_of(ax.text(5, 1e5, "far")) == [] and marks_of(ax.text(5, 1e300, "far")) == []


@pytest.mark.parametrize("family, tag", [("monospace", "path"), ("serif", "path"), ("DejaVu Sans Mono", "path"), ("sans-serif", "text"),
                                         (["No Such", "serif"], "path"), (["No Such", "DejaVu Sans"], "text")])
def test_only_the_font_of_the_page_is_text(ax, family, tag):
    assert marks_of(ax.text(5, 5, "a", family=family))[0].tag == tag


@pytest.mark.parametrize("options", [{}, {"rotation": 90}, {"ha": "right", "va": "top", "fontsize": 20}])
def test_mathtext_is_an_outline_in_the_box_that_matplotlib_gives_it(ax, options):
    text = ax.text(5, 5, r"$\frac{\partial L}{\partial W}$", **options)
    mark, = marks_of(text)
    outline = np.concatenate(parse_path(f"M{mark.points[0, 0]} {mark.points[0, 1]}" + mark.body.removeprefix("stamp:")))
    box = text.get_window_extent()
    got = [outline[:, 0].min(), outline[:, 0].max(), HEIGHT - outline[:, 1].max(), HEIGHT - outline[:, 1].min()]
    np.testing.assert_allclose(got, [box.x0, box.x1, box.y0, box.y1], atol=2.5)


@pytest.mark.parametrize("options", [
    {"fontproperties": FontProperties(fname=matplotlib.get_data_path() + "/fonts/ttf/STIXGeneral.ttf")},
    {"rotation": 30, "clip_on": True},
])
def test_a_text_that_svg_cannot_show_is_an_outline(ax, options):
    """A font from a file; a clip, which SVG would turn with the text."""
    text = ax.text(5, 5, "word", **options)
    mark, = marks_of(text)
    assert mark.tag == "path" and ("clip-path" in mark.style) == ("rotation" in options)
    outline = np.concatenate(parse_path(f"M{mark.points[0, 0]} {mark.points[0, 1]}" + mark.body.removeprefix("stamp:")))
    box = text.get_window_extent()
    np.testing.assert_allclose([outline[:, 0].min(), outline[:, 0].max()], [box.x0, box.x1], atol=4)


def test_an_annotation_is_arrow_box_and_text(ax):
    note = ax.annotate("here", (2, 2), (6, 7), arrowprops={"arrowstyle": "->"}, bbox={"boxstyle": "round"})
    assert [mark.tag for mark in marks_of(note)] == ["path", "path", "path", "text"]
    shaft = parse_path(d_of(marks_of(note)[0]))[0]
    end = np.array(place(ax, 2, 2))
    assert np.hypot(*(shaft[-1] - end)) < 5


def test_an_image(ax):
    image = ax.imshow([[0.0, 1.0], [2.0, 3.0]], extent=(2, 8, 1, 9), aspect="auto", cmap="gray", vmin=0, vmax=3, interpolation="nearest")
    mark, = marks_of(image)
    size, _, data = mark.body.partition(":")
    width, height = map(float, size.split(","))
    x0, y0 = place(ax, 2, 9)
    x1, y1 = place(ax, 8, 1)
    np.testing.assert_allclose([*mark.points[0], width, height], [x0, y0, x1 - x0, y1 - y0], atol=1)
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("L"))
    h, w = pixels.shape
    corners = pixels[[h // 4, h // 4, 3 * h // 4, 3 * h // 4], [w // 4, 3 * w // 4, w // 4, 3 * w // 4]]
    np.testing.assert_array_equal(corners, [0, 85, 170, 255])


@pytest.mark.parametrize("clip", [None, Circle((0.5, 0.5), 0.3)])
def test_the_alpha_of_an_image_is_in_its_pixels_alone(ax, clip):
    image = ax.imshow(np.ones((2, 2)), alpha=0.5)
    if clip:
        image.set_clip_path(clip)
    mark, = marks_of(image)
    pixels = Image.open(io.BytesIO(base64.b64decode(mark.body.partition(":")[2])))
    assert np.asarray(pixels)[20, 20, 3] == 127
    assert "opacity" not in mark.style


def test_clip_paths_are_shared_and_named(ax):
    renderer = MarkRenderer(WIDTH, HEIGHT, clip_prefix="fig-a-clip")
    one, two = ax.plot([1, 2])[0], ax.plot([2, 1])[0]
    styles = [renderer.take(line)[0].style for line in (one, two)]
    assert all("clip-path:url(#fig-a-clip0)" in style for style in styles)
    (content, name), = renderer.clips.items()
    box = ax.get_window_extent()
    numbers = [float(n) for n in re.findall(r'"([\d.]+)"', content)]
    np.testing.assert_allclose(numbers, [box.x0, HEIGHT - box.y1, box.width, box.height], atol=0.01)


@pytest.mark.parametrize("draw, message", [
    (lambda ax: ax.bar([1], [2], hatch="/")[0], "hatch"),
    (lambda ax: ax.pcolormesh(np.eye(3)), "QuadMesh"),
    (lambda ax: ax.pcolormesh(np.eye(3), shading="gouraud"), "gouraud"),
    (lambda ax: ax.plot([1, 2], sketch_params=1.0)[0], "sketch"),
    (lambda ax: ax.add_patch(Circle((5, 5), 1e6)), "reaches far outside"),
])
def test_what_cannot_be_recorded_is_refused(ax, draw, message):
    artist = draw(ax)
    with pytest.raises(NotImplementedError, match=message):
        marks_of(artist)
    marks_of(artist, strict=False)
