"""Figures of every kind that Matplotlib draws, each with an `update(n)` for n = 0, 1, 2 that changes it.

A kind is a function of an axes; it returns `update`. `KINDS` maps its name to
the function, the arguments of its axes, and what a recording must do with it:
show it as it is (None), or refuse it with this message.
"""

from __future__ import annotations

import datetime
from typing import Callable, NamedTuple

import matplotlib
import matplotlib.patheffects as effects
import numpy as np
from matplotlib import patches
from matplotlib.collections import CircleCollection, EllipseCollection, LineCollection, PatchCollection, PolyCollection, RegularPolyCollection
from matplotlib.colors import BoundaryNorm, LogNorm, PowerNorm, TwoSlopeNorm
from matplotlib.dates import DateFormatter
from matplotlib.font_manager import FontProperties
from matplotlib.image import NonUniformImage
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnchoredText, AnnotationBbox, DrawingArea, OffsetImage, TextArea
from matplotlib.path import Path
from matplotlib.transforms import Affine2D, Bbox, IdentityTransform, offset_copy

X = np.linspace(0, 1, 21)
GRID = np.linspace(-1, 1, 8)
HILLS = np.add.outer(GRID**2, np.sin(3 * GRID))


class Kind(NamedTuple):
    make: Callable
    axes: dict
    refused: str | None


KINDS: dict[str, Kind] = {}


def kind(refused: str | None = None, **axes):
    def add(make):
        KINDS[make.__name__.strip("_")] = Kind(make, axes, refused)
        return make

    return add


def unit(ax):
    ax.set(xlim=(0, 1), ylim=(0, 1))
    return ax


def wave(n):
    return 0.5 + 0.4 * np.sin(6 * X + 2 * n)


# Lines ---------------------------------------------------------------------------

@kind()
def plot(ax):
    line, = unit(ax).plot(X, wave(0))
    return lambda n: line.set_ydata(wave(n)) or line


@kind()
def plot_style(ax):
    line, = unit(ax).plot(X, wave(0))
    return lambda n: line.set(color=f"C{n}", lw=1 + 2 * n, ls=["-", "--", ":"][n], alpha=[None, 0.5, 0.8][n]) and line


@kind()
def plot_visible(ax):
    lines = unit(ax).plot(X, np.transpose([wave(0), wave(1), wave(2)]), lw=4)
    return lambda n: [line.set_visible(k != n) or line for k, line in enumerate(lines)]


@kind()
def markers(ax):
    ax.set(xlim=(-1, 10), ylim=(-1, 6))
    names = [name for name in Line2D.markers if name not in ("", " ", "None", "none", None)][:40] + ["$f$"]
    lines = [ax.plot([k % 10], [k // 10], marker=name, ms=8, ls="")[0] for k, name in enumerate(names)]
    return lambda n: [line.set_ydata([k // 10 + 0.4 * n]) or line for k, line in enumerate(lines)]


@kind()
def marker_style(ax):
    line, = unit(ax).plot(X[::4], wave(0)[::4], "o-", ms=10, markevery=2)
    return lambda n: line.set(marker="os^"[n], ms=10 + 4 * n, mfc=["w", "C1", "none"][n], mec="C3", mew=1 + n,
                              fillstyle=["full", "left", "top"][n], markevery=n + 1) and line


@kind()
def markers_on_markers(ax):
    line, = unit(ax).plot(X, wave(0), "o", ms=12, mec="w", mew=2)
    return lambda n: line.set(ydata=wave(n), mfc=f"C{n}") and line


@kind()
def dashes(ax):
    lines = [unit(ax).plot([0, 1], [y, y], ls=ls, lw=3)[0] for y, ls in ((0.2, "--"), (0.4, "-."), (0.6, ":"), (0.8, (3, (5, 1, 2, 1))))]
    return lambda n: [line.set_dash_capstyle(["butt", "round", "projecting"][n]) or line.set_linewidth(3 + n) or line for line in lines]


@kind()
def gapcolor(ax):
    line, = unit(ax).plot(X, wave(0), ls="--", lw=5, gapcolor="C1")
    return lambda n: line.set(gapcolor=f"C{n + 1}") and line


@kind()
def joins(ax):
    line, = unit(ax).plot([0.1, 0.5, 0.9, 0.2], [0.2, 0.7, 0.2, 0.3], lw=14)
    return lambda n: line.set(solid_joinstyle=["miter", "round", "bevel"][n], solid_capstyle=["butt", "round", "projecting"][n]) and line


@kind()
def sharp_corners(ax):
    line, = unit(ax).plot([0.2, 0.5, 0.8], [0.1, 0.6, 0.1], lw=9, solid_joinstyle="miter")
    return lambda n: line.set_xdata([0.5 - 0.3 / 3**n, 0.5, 0.5 + 0.3 / 3**n]) or line


@kind()
def spikes(ax):
    still = unit(ax).add_patch(patches.Polygon([(0.1, 0.5), (0.12, 0.1), (0.14, 0.5)], lw=6, fc="none", ec="C2"))
    assert still.get_joinstyle() == "miter"
    shape = ax.add_patch(patches.Polygon([(0.4, 0.1), (0.5, 0.5), (0.6, 0.1)], lw=6, ec="C1"))
    line, = ax.plot([0.8, 0.8, 0.8], [0.1, 0.5, 0.1], lw=4, solid_joinstyle="miter")

    def update(n):
        shape.set_xy([(0.5 - 0.3 / 4**n, 0.1), (0.5, 0.5), (0.5 + 0.3 / 4**n, 0.1)])
        line.set_xdata([0.8 - 0.2 / 4**n, 0.8, 0.8 + 0.2 / 4**n])
        return shape, line

    return update


@kind()
def thick_from_outside(ax):
    unit(ax)
    line, = ax.plot([0, 1], [-0.25, -0.25], lw=60)
    cross, = ax.plot([0.5], [1.3], "+", ms=10, mew=60, c="C1")
    spike, = ax.plot([0.2, 0.25, 0.3], [1.4, 1.25, 1.4], lw=9, solid_joinstyle="miter", c="C2")
    return lambda n: (line.set_ydata([-0.3 + 0.15 * n] * 2), cross.set_xdata([0.3 + 0.2 * n]), spike.set_xdata([0.2, 0.25 + 0.2 * n, 0.3])) and (
        line, cross, spike)


@kind()
def dashes_from_outside(ax):
    unit(ax)
    near, = ax.plot([-0.25, 1], [0.2, 0.2], ls=(0, (5, 3)), lw=4)
    far, = ax.plot([-50.13, 1], [0.8, 0.8], ls=(0, (4, 4)), lw=5, c="C1")
    up, = ax.plot([0.5, 0.5], [-1e5, 0.7], ls="--", lw=6, c="C2")
    return lambda n: (near.set_xdata([-0.25 - 0.06 * n, 1]), far.set_xdata([-50.13, 1 - n / 10]), up.set_xdata([0.3 + 0.2 * n, 0.5])) and (
        near, far, up)


@kind()
def gaps(ax):
    line, = unit(ax).plot(X, wave(0), lw=4)
    return lambda n: line.set_ydata(np.where(np.arange(21) % (n + 3) == 1, np.nan, wave(n))) or line


@kind()
def step(ax):
    line, = unit(ax).step(X[::3], wave(0)[::3], lw=3)
    return lambda n: line.set_drawstyle(["steps-pre", "steps-mid", "steps-post"][n]) or line


@kind()
def path_effects(ax):
    line, = unit(ax).plot(X, wave(0), lw=3, path_effects=[effects.withStroke(linewidth=8, foreground="C1")])
    text = ax.text(0.5, 0.8, "halo", size=20, path_effects=[effects.withStroke(linewidth=4, foreground="C2")])
    return lambda n: (line.set_ydata(wave(n)) or line, text.set_text(["halo", "hello", "ho"][n]) or text)


@kind()
def stem(ax):
    container = unit(ax).stem(X[::3], wave(0)[::3])

    def update(n):
        container.markerline.set_ydata(wave(n)[::3])
        container.stemlines.set_segments([[(x, 0), (x, y)] for x, y in zip(X[::3], wave(n)[::3])])
        return container

    return update


@kind()
def axlines(ax):
    unit(ax)
    v, h, slanted = ax.axvline(0.2, lw=3), ax.axhline(0.2, c="C1", lw=3), ax.axline((0, 0), slope=1, c="C2", lw=3)

    def update(n):
        v.set_xdata([0.2 + 0.3 * n] * 2)
        h.set_ydata([0.2 + 0.3 * n] * 2)
        slanted.set_slope(1 - n / 2)
        return v, h, slanted

    return update


@kind()
def errorbar(ax):
    container = unit(ax).errorbar(X[::4], wave(0)[::4], 0.1, capsize=4, fmt="o")

    def update(n):
        line, caps, (bars,) = container
        y = wave(n)[::4]
        line.set_ydata(y)
        caps[0].set_ydata(y - 0.1)
        caps[1].set_ydata(y + 0.1)
        bars.set_segments([[(x, a - 0.1), (x, a + 0.1)] for x, a in zip(X[::4], y)])
        return line, caps, bars

    return update


@kind()
def boxplot(ax):
    parts = ax.boxplot([[1, 2, 3, 4, 9], [2, 3, 4, 5, 6]], patch_artist=True)
    box, median = parts["boxes"][0], parts["medians"][1]

    def update(n):
        box.set_facecolor(f"C{n}")
        median.set_ydata([3 + n / 2] * 2)
        parts["fliers"][0].set_visible(n != 1)
        return box, median, parts["fliers"]

    return update


@kind()
def ecdf(ax):
    line = ax.ecdf([1, 2, 2, 5], lw=3)
    return lambda n: line.set(color=f"C{n}", ydata=np.linspace(0, 1, 5) ** (n + 1)) and line


# Collections -----------------------------------------------------------------------

@kind()
def scatter(ax):
    cloud = unit(ax).scatter(X, wave(0), s=60)

    def update(n):
        cloud.set_offsets(np.c_[X, wave(n)][: 21 - 5 * n])
        cloud.set_sizes(np.linspace(20, 100 + 100 * n, 21))
        return cloud

    return update


def on_one_another(n):
    return np.c_[0.5 + X[:12] * (n - 1), np.linspace(0.4, 0.6, 12)]


@kind()
def scatter_through_which_one_sees(ax):
    cloud = unit(ax).scatter(*on_one_another(0).T, s=400, alpha=0.15)
    return lambda n: cloud.set_offsets(on_one_another(n)) or cloud


@kind()
def scatter_with_edges(ax):
    cloud = unit(ax).scatter(*on_one_another(0).T, s=300, c="C1", ec="k", lw=2)
    return lambda n: cloud.set_offsets(on_one_another(n)[: 12 - 5 * n]) or cloud


@kind()
def rings_through_which_one_sees(ax):
    cloud = unit(ax).scatter(*on_one_another(0).T, s=300, fc="none", ec="C3", lw=6, alpha=0.3)
    return lambda n: cloud.set_offsets(on_one_another(n)) or cloud


@kind()
def scatter_colours(ax):
    cloud = unit(ax).scatter(X, wave(0), c=X, s=80, cmap="plasma", edgecolors="k", norm=PowerNorm(0.5, 0, 1), plotnonfinite=True)
    cloud.cmap = cloud.cmap.with_extremes(bad="c")

    def update(n):
        cloud.set_array(np.where(np.arange(21) % 4 == 1, np.nan, np.roll(X, 6 * n)))
        cloud.set(alpha=[None, 0.4, 0.8][n], linewidth=n)
        return cloud

    return update


@kind()
def fill_between(ax):
    area = unit(ax).fill_between(X, 0.2, wave(0), alpha=0.5)
    return lambda n: area.set_data(X, 0.2, wave(n), where=wave(n) > 0.3) or area


@kind()
def fill_betweenx(ax):
    area = unit(ax).fill_betweenx(X, 0.2, wave(0), color="C2")
    return lambda n: area.set_data(X, 0.2, wave(n)) or area


@kind()
def stackplot(ax):
    areas = ax.stackplot(X, wave(0), wave(1), wave(2))
    return lambda n: [area.set(facecolor=f"C{k + n}", visible=k <= n) and area for k, area in enumerate(areas)]


@kind()
def violinplot(ax):
    parts = ax.violinplot([[1, 2, 3, 4, 9], [2, 3, 4, 5, 6]], showmedians=True)
    return lambda n: [body.set(facecolor=f"C{n}", alpha=0.3 + 0.3 * n) and body for body in parts["bodies"]] + [parts["cmedians"]]


@kind()
def eventplot(ax):
    ax.set(xlim=(0, 1), ylim=(-1, 2))
    events = ax.eventplot([X[::3], X[::2]], colors=["C0", "C1"], linewidths=3)

    def update(n):
        for k, row in enumerate(events):
            row.set_positions(X[:: 3 - k] ** (n + 1))
            row.set_linelength(0.5 + 0.2 * n)
        return events

    return update


@kind()
def hexbin(ax):
    bins = ax.hexbin(np.tile(GRID, 8), np.repeat(GRID, 8), gridsize=6)
    values = np.arange(len(bins.get_array()), dtype=float)
    return lambda n: bins.set_array(np.roll(values, 9 * n)) or bins.set_clim(0, values.max()) or bins


@kind()
def contour(ax):
    lines = ax.contour(GRID, GRID, HILLS, linewidths=3)
    labels = ax.clabel(lines)

    def update(n):
        lines.set(linewidth=[3, 1, 5][n], alpha=[1, 0.5, 1][n])
        return lines, [label.set_visible(n > 0) or label for label in labels]

    return update


@kind()
def contourf_shown_and_hidden(ax):
    sets = [ax.contourf(GRID, GRID, HILLS * sign, cmap=cmap) for sign, cmap in ((1, "viridis"), (-1, "plasma"), (0.5, "gray"))]
    return lambda n: [areas.set_visible(k == n) or areas for k, areas in enumerate(sets)]


@kind()
def tricontourf(ax):
    areas = ax.tricontourf(np.tile(GRID, 8), np.repeat(GRID, 8), HILLS.ravel())
    return lambda n: areas.set_cmap(["viridis", "plasma", "gray"][n]) or areas


@kind()
def triplot(ax):
    lines = ax.triplot([0, 1, 0, 1, 0.5], [0, 0, 1, 1, 0.4], "o-")
    return lambda n: [line.set(color=f"C{n}", lw=1 + n) and line for line in lines]


@kind()
def tripcolor(ax):
    mesh = ax.tripcolor([0, 1, 0, 1, 0.5], [0, 0, 1, 1, 0.4], facecolors=np.arange(4.0))
    return lambda n: mesh.set_array(np.roll(np.arange(4.0), n)) or mesh


@kind()
def quiver(ax):
    arrows = ax.quiver(GRID, GRID, *np.meshgrid(GRID, GRID))
    return lambda n: arrows.set_UVC(*np.meshgrid(np.roll(GRID, 2 * n), GRID)) or arrows


@kind()
def quiver_key(ax):
    arrows = ax.quiver([0.2, 0.8], [0.2, 0.8], [1, 1], [0.5, -1], width=0.02)
    key = ax.quiverkey(arrows, 0.5, 0.9, 1, "unit", labelpos="E")
    return lambda n: (arrows.set_UVC([1, n - 1], [0.5, -1]), key.text.set_text(["one", "two", "three"][n])) and (arrows, key)


@kind()
def streamplot(ax):
    stream = ax.streamplot(GRID, GRID, *np.meshgrid(GRID, -GRID), density=0.4)
    return lambda n: stream.lines.set(color=f"C{n}", linewidth=1 + n) and (stream.lines, stream.arrows)


@kind()
def barbs(ax):
    flags = ax.barbs([0.2, 0.5, 0.8], [0.3, 0.6, 0.3], [10, 40, 60], [5, 20, 3], length=9)
    ax.set(xlim=(0, 1), ylim=(0, 1))
    return lambda n: flags.set_UVC([10 + 40 * n, 40, 60], [5, 20 - 30 * n, 3]) or flags


@kind()
def spans(ax):
    unit(ax)
    v, h = ax.axvspan(0.1, 0.3, color="C1", alpha=0.5), ax.axhspan(0.1, 0.3, color="C2")
    return lambda n: (v.set_x(0.1 + 0.3 * n), h.set_height(0.2 + 0.2 * n)) and (v, h)


@kind()
def vlines_hlines(ax):
    unit(ax)
    v, h = ax.vlines(X[::3], 0, wave(0)[::3], lw=3), ax.hlines([0.2, 0.5], 0, [0.5, 0.9], colors=["C1", "C3"], ls="--")

    def update(n):
        v.set_segments([[(x, 0), (x, y)] for x, y in zip(X[::3], wave(n)[::3])])
        h.set_linestyle(["--", "-", ":"][n])
        return v, h

    return update


@kind()
def broken_barh(ax):
    bars = unit(ax).broken_barh([(0.1, 0.2), (0.5, 0.3)], (0.2, 0.3), facecolors=["C1", "C2"])

    def update(n):
        bars.set_verts([[(x, 0.2), (x + 0.1, 0.2), (x + 0.1, 0.5 + 0.2 * n), (x, 0.5)] for x in (0.1, 0.5 + 0.1 * n)])
        return bars

    return update


@kind()
def line_collection(ax):
    fan = unit(ax).add_collection(LineCollection([[(0, 0), (1, k / 3)] for k in range(4)], array=np.arange(4.0), linewidths=[1, 2, 3, 4]))
    return lambda n: (fan.set_segments([[(0, n / 3), (1, k / 3)] for k in range(4)]), fan.set_array(np.roll(np.arange(4.0), n))) and fan


@kind()
def poly_collection(ax):
    def corners(n):
        return [[(0.1 + 0.1 * n, 0.1), (0.4, 0.1), (0.2, 0.5)], [(0.5, 0.5), (0.9, 0.6), (0.7, 0.9 - 0.3 * n)]]

    shapes = unit(ax).add_collection(PolyCollection(corners(0), facecolors=["C1", "C2"], edgecolors="k"))
    return lambda n: shapes.set_verts(corners(n)) or shapes


@kind()
def patch_collection(ax):
    both = [patches.Circle((0.3, 0.3), 0.2), patches.Rectangle((0.5, 0.5), 0.3, 0.2)]
    shapes = unit(ax).add_collection(PatchCollection(both, array=[0.0, 1.0], alpha=0.7))
    return lambda n: shapes.set_array([n / 2, 1 - n / 3]) or shapes.set_linewidth(4 * n) or shapes


@kind()
def odd_collections(ax):
    unit(ax)
    at = dict(offset_transform=ax.transData)
    circles = ax.add_collection(CircleCollection([200, 400], offsets=[(0.2, 0.2), (0.7, 0.2)], facecolors=["C0", "C1"], **at))
    ovals = ax.add_collection(EllipseCollection([20, 30], [10, 20], [0, 45], units="points", offsets=[(0.2, 0.6), (0.7, 0.6)], **at))
    stars = ax.add_collection(RegularPolyCollection(5, sizes=[150], offsets=[(0.4, 0.8)], facecolors="C3", **at))

    def update(n):
        circles.set_offsets([(0.2 + 0.2 * n, 0.2), (0.7, 0.2)])
        ovals.set_angles([60 * n, 45])
        stars.set_offsets([(0.4 + 0.2 * n, 0.8)])
        return circles, ovals, stars

    return update


@kind()
def pcolor(ax):
    mesh = ax.pcolor(HILLS)
    return lambda n: mesh.set_array(np.roll(HILLS, n)) or mesh


@kind("update returned a QuadMesh, which cannot be recorded")
def pcolormesh(ax):
    mesh = ax.pcolormesh(HILLS)
    return lambda n: mesh.set_array(np.roll(HILLS, n)) or mesh


@kind("update returned a QuadMesh, which cannot be recorded")
def hist2d(ax):
    *_, mesh = ax.hist2d(np.tile(GRID, 8), np.repeat(GRID, 8), bins=5)
    return lambda n: mesh.set_alpha(1 - n / 3) or mesh


@kind("update returned a TriMesh, which cannot be recorded")
def tripcolor_gouraud(ax):
    mesh = ax.tripcolor([0, 1, 0, 1, 0.5], [0, 0, 1, 1, 0.4], np.arange(5.0), shading="gouraud")
    return lambda n: mesh.set_array(np.roll(np.arange(5.0), n)) or mesh


# Patches ------------------------------------------------------------------------------

@kind()
def bar(ax):
    bars = ax.bar([0, 1, 2], [1, 2, 3], color=["C0", "C1", "k"], edgecolor="C3")
    labels = ax.bar_label(bars)

    def update(n):
        for k, (rectangle, label) in enumerate(zip(bars, labels)):
            rectangle.set_height(1 + (k + n) % 3)
            label.xy = (k, rectangle.get_height())
            label.set_text(f"{rectangle.get_height()}")
        return bars, labels

    return update


@kind()
def barh(ax):
    bars = ax.barh(["a", "b", "c"], [1, 2, 3], xerr=0.2)
    return lambda n: [b.set(width=1 + (k + n) % 3, linewidth=2 * n, edgecolor="k") and b for k, b in enumerate(bars)]


@kind()
def hist(ax):
    _, _, bars = ax.hist([1, 2, 2, 3, 3, 3], bins=3)
    _, _, outline = ax.hist([1, 2, 2, 3, 3, 3], bins=3, histtype="step", lw=3)
    return lambda n: ([b.set_height(1 + (k + n) % 3) for k, b in enumerate(bars)], outline[0].set_edgecolor(f"C{n + 2}")) and (bars, outline)


@kind()
def stairs(ax):
    steps = ax.stairs([1, 3, 2], fill=True, baseline=0)
    return lambda n: steps.set_data(np.roll([1, 3, 2], n)) or steps


@kind()
def pie(ax):
    wedges, texts, numbers = ax.pie([1, 2, 3], labels=["a", "b", "c"], autopct="%d", explode=[0, 0.1, 0])

    def update(n):
        wedges[0].set_theta2(60 + 40 * n)
        wedges[1].set_theta1(60 + 40 * n)
        texts[0].set_text("abc"[n] * 3)
        numbers[1].set_color(f"C{n + 4}")
        return wedges, texts, numbers

    return update


@kind()
def shapes(ax):
    unit(ax)
    oval = ax.add_patch(patches.Ellipse((0.3, 0.3), 0.4, 0.2, fc="C1", ec="k", lw=2))
    wedge = ax.add_patch(patches.Wedge((0.7, 0.3), 0.2, 0, 200, width=0.1, fc="C2"))
    triangle = ax.add_patch(patches.Polygon([(0.1, 0.6), (0.4, 0.6), (0.2, 0.9)], fc="C3", alpha=0.5))
    rectangle = ax.add_patch(patches.Rectangle((0.6, 0.6), 0.2, 0.2, angle=10, fill=False, ls="--", lw=2))
    hexagon = ax.add_patch(patches.RegularPolygon((0.5, 0.5), 6, radius=0.1))
    arc = ax.add_patch(patches.Arc((0.5, 0.8), 0.3, 0.2, theta2=200, lw=3))

    def update(n):
        oval.set_angle(30 * n)
        wedge.set_theta1(60 * n)
        triangle.set_xy([(0.1 + 0.1 * n, 0.6), (0.4, 0.6), (0.2, 0.9)])
        rectangle.set(width=0.2 + 0.1 * n, angle=10 + 20 * n)
        hexagon.radius = 0.1 + 0.05 * n
        arc.theta2 = 200 - 60 * n
        return oval, wedge, triangle, rectangle, hexagon, arc

    return update


@kind()
def fancy(ax):
    unit(ax)
    box = ax.add_patch(patches.FancyBboxPatch((0.2, 0.2), 0.3, 0.2, boxstyle="round,pad=0.05", fc="C4"))
    arrow = ax.add_patch(patches.FancyArrowPatch((0.1, 0.9), (0.9, 0.5), connectionstyle="arc3,rad=0.3", mutation_scale=20, arrowstyle="-|>"))
    plain = ax.arrow(0.6, 0.1, 0.1, 0.2, width=0.03, color="C3")

    def update(n):
        box.set_boxstyle(["round,pad=0.05", "sawtooth,pad=0.05", "larrow,pad=0.05"][n])
        arrow.set_positions((0.1, 0.9 - 0.2 * n), (0.9, 0.5))
        plain.set_data(dx=0.1 + 0.1 * n)
        return box, arrow, plain

    return update


@kind()
def free_path(ax):
    def bend(n):
        return Path([(0.1, 0.1), (0.5, 0.9 - 0.3 * n), (0.9, 0.1), (0.9, 0.5)], [Path.MOVETO, Path.CURVE3, Path.CURVE3, Path.LINETO])

    curve = unit(ax).add_patch(patches.PathPatch(bend(0), fc="none", lw=4))
    return lambda n: curve.set_path(bend(n)) or curve


@kind()
def connection(ax):
    inset = unit(ax).inset_axes([0.6, 0.6, 0.3, 0.3], xlim=(0, 1), ylim=(0, 1))
    link = ax.figure.add_artist(patches.ConnectionPatch((0.1, 0.1), (0.5, 0.5), "data", "data", axesA=ax, axesB=inset, lw=3, color="C3"))

    def update(n):
        link.xy1 = (0.1 + 0.3 * n, 0.1)
        return link

    return update


@kind(r"a hatch \(/\) cannot be recorded")
def hatch(ax):
    bars = ax.bar([0, 1], [1, 2], hatch="/")
    return lambda n: bars[0].set_height(1 + n / 3) or bars


@kind()
def clip_path(ax):
    line, = unit(ax).plot(X, wave(0), lw=15)
    disc = ax.add_patch(patches.Circle((0.5, 0.5), 0.4, visible=False))

    def update(n):
        line.set_clip_path(patches.Circle((0.3 + 0.2 * n, 0.5), 0.3, transform=ax.transData))
        return line, disc

    return update


# Texts ---------------------------------------------------------------------------------

@kind()
def text(ax):
    note = unit(ax).text(0.5, 0.5, "x", ha="center", size=14)
    return lambda n: note.set(text=["a word", "<b> &", "3"][n], rotation=30 * n, color=f"C{n}", size=14 + 4 * n) and note


@kind()
def text_box(ax):
    note = unit(ax).text(0.3, 0.5, "x", size=12, bbox=dict(boxstyle="round", fc="C9", ec="k"))
    return lambda n: note.set(text=["x", "word", "two"][n], rotation=10 * n) and note


@kind()
def text_lines(ax):
    note = unit(ax).text(0.5, 0.5, "x", ha="right", va="center", linespacing=1.5)
    return lambda n: note.set(text="\n".join(["one", "twenty", "three"][: n + 1]), weight=["normal", "semibold", "light"][n],
                              style=["normal", "normal", "italic"][n]) and note


@kind()
def mathtext(ax):
    note = unit(ax).text(0.2, 0.5, "x", size=16)
    return lambda n: note.set_text([r"$\frac{a}{b}$", r"$\sqrt{x_n^2}$", r"in $\int_0^1$ it"][n]) or note


@kind()
def font_file(ax):
    file = matplotlib.get_data_path() + "/fonts/ttf/STIXGeneralBol.ttf"
    note = unit(ax).text(0.2, 0.5, "x", fontproperties=FontProperties(fname=file, size=20))
    return lambda n: note.set_text("aej"[n]) or note


def words(ax, *options):
    notes = [unit(ax).text(0.05, 0.7 - 0.3 * k, "x", **{"size": 12, **option}) for k, option in enumerate(options)]
    return lambda n: [note.set_text(["Hamburg", "five words", "aeg 123"][n]) or note for note in notes]


@kind()
def fonts(ax):
    return words(ax, {"family": "serif", "weight": "bold", "size": 16}, {"family": ["No Such", "cmr10"], "size": 18})


@kind()
def faces(ax):
    return words(ax, {"weight": 550}, {"style": "oblique", "weight": "bold"}, {"stretch": "condensed"})


@kind()
def letters_beyond_the_font(ax):
    notes = [unit(ax).text(0.02, 0.85 - 0.25 * k, "x", size=15, bbox=dict(fc="none", pad=0)) for k in range(4)]
    strings = [("שלום abc", "א ב (1)", "אבג"), ("a\tb", "\ta", "a\t\tb"), ("漢字 x", "x 漢", "字"), ("a\u202eb", "aé\u0301", "\u2066abc\u2069")]
    return lambda n: [note.set_text(string[n]) or note for note, string in zip(notes, strings)]


@kind()
def annotate(ax):
    note = unit(ax).annotate("here", (0.2, 0.2), (0.6, 0.7), arrowprops=dict(arrowstyle="->", connectionstyle="arc3,rad=0.2"), bbox=dict(fc="w"))

    def update(n):
        note.xy = (0.2 + 0.3 * n, 0.2)
        note.arrow_patch.set_visible(n != 1)
        return note

    return update


@kind()
def titles(ax):
    title, left = ax.set_title("a"), ax.set_title("a", loc="left", size=10)
    above = ax.figure.suptitle("a", size=11)
    return lambda n: (title.set_text("gjpq"[n] * 4), left.set_text("left"[: n + 1]), above.set_text(["all", "of", "it"][n])) and (title, left, above)


@kind()
def labels(ax):
    unit(ax)
    return lambda n: (ax.set_xlabel(["time $t$", "lag", "a longer label"][n], color=f"C{n}"), ax.set_ylabel("abc"[n] * (n + 1)))


@kind()
def figure_text(ax):
    note = ax.figure.text(0.02, 0.02, "x")
    line = ax.figure.add_artist(Line2D([0, 1], [0.1, 0.1], lw=3))
    return lambda n: (note.set_text(["a", "word", "more"][n]), line.set_ydata([0.1 + 0.4 * n, 0.9])) and (note, line)


@kind()
def boxes_at_anchors(ax):
    unit(ax)
    corner = ax.add_artist(AnchoredText("x", loc="upper right"))
    picture = ax.add_artist(AnnotationBbox(OffsetImage(np.eye(8), zoom=2, cmap="gray"), (0.2, 0.3)))
    words = ax.add_artist(AnnotationBbox(TextArea("x"), (0.7, 0.4)))

    def update(n):
        corner.txt.set_text(["one", "and two", "3\n4"][n])
        picture.xy = picture.xybox = (0.2 + 0.1 * n, 0.3)
        words.offsetbox.set_text(["one", "and two", "3"][n])
        return corner, picture, words

    return update


@kind()
def table(ax):
    ax.set_axis_off()
    cells = ax.table([["a", "b"], ["c", "d"]], loc="center", colLabels=["one", "two"])

    def update(n):
        cells[1, 0].get_text().set_text(["a", "word", "3"][n])
        cells[2, 1].set_facecolor(f"C{n}")
        return cells

    return update


@kind()
def legend(ax):
    line, = unit(ax).plot(X, wave(0), label="a")
    dots = ax.scatter(X, wave(1), label="dots")
    box = ax.legend(loc="lower left", shadow=True)

    def update(n):
        line.set_color(f"C{n}")
        box.legend_handles[0].set_color(f"C{n}")
        box.get_texts()[0].set_text(["a", "a longer text", r"$x^2$"][n])
        box.get_texts()[1].set_visible(n != 1)
        return line, dots, box

    return update


@kind()
def legend_text(ax):
    unit(ax).plot(X, wave(0), label="abc")
    entry = ax.legend().get_texts()[0]
    return lambda n: entry.set_color(f"C{n}") or entry


@kind("update changed Legend")
def legend_text_grows(ax):
    unit(ax).plot(X, wave(0), label="a")
    entry = ax.legend(loc="upper right").get_texts()[0]
    return lambda n: entry.set_text("longer " * (n + 1)) or entry


@kind()
def legend_in_the_best_place(ax):
    line, = unit(ax).plot(X, X**4, label="a")
    ax.legend()
    return lambda n: line.set_ydata([X**4, 1 - X**4, X**0][n] * 0.9) or line


# Images ------------------------------------------------------------------------------

@kind()
def imshow(ax):
    image = ax.imshow(HILLS, interpolation="nearest")
    return lambda n: image.set_data(np.roll(HILLS, 2 * n)) or image


@kind()
def image_with_gaps(ax):
    image = ax.imshow(HILLS, cmap=matplotlib.colormaps["viridis"].with_extremes(bad="C3", over="C1", under="k"), vmin=0, vmax=1)

    def update(n):
        values = np.where(np.eye(8, k=n), np.nan, HILLS)
        image.set_data(np.ma.masked_less(values, -0.5) if n == 2 else values)
        return image

    return update


@kind()
def image_norms(ax):
    image = ax.imshow(np.abs(HILLS) + 0.01, aspect="auto", origin="lower")
    norms = [LogNorm(0.01, 2), TwoSlopeNorm(0.5, 0, 2), BoundaryNorm([0, 0.2, 0.5, 1, 2], 256)]
    return lambda n: image.set_norm(norms[n]) or image


@kind()
def image_style(ax):
    image = ax.imshow(HILLS, interpolation="bilinear", extent=(0, 2, 0, 1))
    return lambda n: image.set(cmap=["gray", "plasma", "viridis"][n], alpha=[1, 0.5, 0.8][n]) and image


@kind()
def image_of_colours(ax):
    image = ax.imshow(np.zeros((2, 2, 4)))
    colours = np.array([[(1, 0, 0, 1), (0, 1, 0, 0.5)], [(0, 0, 1, 0.2), (0, 0, 0, 1)]])
    return lambda n: image.set_data([colours, colours[::-1], colours[:, ::-1]][n]) or image


@kind()
def image_turned(ax):
    image = unit(ax).imshow(np.eye(4), extent=(0.2, 0.8, 0.2, 0.8))
    return lambda n: image.set_transform(Affine2D().rotate_deg_around(0.5, 0.5, 20 * n) + ax.transData) or image


@kind()
def matshow(ax):
    image = ax.matshow(HILLS)
    return lambda n: image.set_clim(0, 1 + n) or image


@kind()
def spy(ax):
    dots = ax.spy(np.eye(6), markersize=6)
    return lambda n: dots.set_xdata((np.arange(6) + n) % 6) or dots


@kind()
def uneven_image(ax):
    image = NonUniformImage(ax, extent=(0, 1, 0, 1), interpolation="nearest")
    image.set_data(X[:8] ** 2 * 8, X[:8], HILLS)
    unit(ax).add_image(image)
    return lambda n: image.set_data(X[:8] ** 2 * 8, X[:8], np.roll(HILLS, 2 * n)) or image


@kind()
def specgram(ax):
    *_, image = ax.specgram(np.sin(np.arange(600) ** 1.5 / 20), NFFT=64, noverlap=32)
    return lambda n: image.set_clim(-60, -10 - 15 * n) or image


@kind("is placed or sized in pixels")
def figimage(ax):
    ax.figure.figimage(np.eye(40), 10, 10)
    line, = ax.plot(X, X)
    return lambda n: line.set_ydata(wave(n)) or line


@kind("is placed or sized in pixels")
def annotate_in_pixels(ax):
    note = ax.annotate("a", (0.5, 0.5), (30, 10), textcoords="offset pixels")
    return lambda n: note.set_text("abc"[n]) or note


@kind("is placed or sized in pixels")
def text_in_pixels(ax):
    note = ax.text(60, 60, "a", transform=None)
    return lambda n: note.set_text("abc"[n]) or note


@kind("sized in pixels")
def quiver_in_dots(ax):
    arrows = unit(ax).quiver([0.2, 0.6], [0.2, 0.6], [1, 1], [1, 0], units="dots", width=4, scale=5, scale_units="width")
    return lambda n: arrows.set_UVC([1, 1], [1, n]) or arrows


@kind("sized in pixels")
def quiver_scaled_in_dots(ax):
    arrows = unit(ax).quiver([0.2, 0.6], [0.2, 0.6], [1, 1], [1, 0], scale=0.05, scale_units="dots")
    return lambda n: arrows.set_UVC([1, 1], [1, n]) or arrows


@kind("sized in pixels")
def ovals_in_dots(ax):
    ovals = unit(ax).add_collection(EllipseCollection([20], [10], [0], units="dots", offsets=[(0.5, 0.5)], offset_transform=ax.transData))
    return lambda n: ovals.set_angles([30 * n]) or ovals


@kind("placed .* in pixels")
def collection_in_pixels(ax):
    fan = ax.add_collection(LineCollection([[(30, 30), (60, 50)]], transform=IdentityTransform()))
    return lambda n: fan.set_segments([[(30, 30), (60, 50 - 10 * n)]]) or fan


@kind("placed .* in pixels")
def offset_in_dots(ax):
    line, = unit(ax).plot(X, X, transform=offset_copy(ax.transData, ax.figure, y=8, units="dots"))
    return lambda n: line.set_ydata(wave(n)) or line


@kind("placed .* in pixels")
def arrow_in_pixels(ax):
    arrow = ax.add_patch(patches.FancyArrowPatch((40, 40), (80, 60), transform=None, mutation_scale=10))
    return lambda n: arrow.set_positions((40, 40), (80, 60 - 10 * n)) or arrow


@kind("placed .* in pixels")
def connection_in_pixels(ax):
    link = ax.add_artist(patches.ConnectionPatch((40, 40), (0.5, 0.5), "figure pixels", "data", axesB=ax))
    return lambda n: link.set_color(f"C{n}") or link


@kind("placed .* in pixels")
def note_in_pixels_by_transform(ax):
    note = ax.annotate("a", (40, 40), (10, 10), xycoords=IdentityTransform(), textcoords="offset points")
    return lambda n: note.set_text("abc"[n]) or note


@kind("placed .* in pixels")
def note_in_pixels_by_function(ax):
    note = ax.annotate("a", (0.5, 0.5), xycoords=lambda renderer: Bbox([[20, 20], [60, 60]]))
    return lambda n: note.set_text("abc"[n]) or note


@kind("placed .* in pixels")
def still_text_in_pixels(ax):
    ax.annotate("a", (40, 40), xycoords=lambda renderer: IdentityTransform())
    line, = ax.plot(X, X)
    return lambda n: line.set_ydata(wave(n)) or line


@kind("sized in pixels")
def box_with_arrow(ax):
    box = ax.add_artist(AnnotationBbox(TextArea("a"), (0.2, 0.2), xybox=(0.7, 0.7), arrowprops=dict(arrowstyle="->")))
    return lambda n: box.offsetbox.set_text("abc"[n]) or box


@kind()
def annotate_in_points(ax):
    note = unit(ax).annotate("a", (0.5, 0.5), (20, -10), textcoords="offset points", arrowprops=dict(arrowstyle="-"))
    return lambda n: note.set(text="abc"[n], position=(20 - 20 * n, -10)) and note


@kind()
def colorbar(ax):
    image = ax.imshow(HILLS, vmin=-1, vmax=2)
    ax.figure.colorbar(image, label="height")
    return lambda n: image.set_data(np.roll(HILLS, 2 * n)) or image


def with_colorbar(ax):
    image = ax.imshow(HILLS)
    ax.figure.colorbar(image)
    return image


@kind("and so its colorbar")
def colorbar_changes(ax):
    image = with_colorbar(ax)
    return lambda n: image.set_clim(-1, 2 + n) or image


@kind("and so its colorbar")
def colorbar_changes_colours(ax):
    image = with_colorbar(ax)
    return lambda n: image.set_cmap(["viridis", "gray", "plasma"][n]) or image


@kind("and so its colorbar")
def colorbar_changes_its_norm(ax):
    image = with_colorbar(ax)
    return lambda n: image.set_norm(PowerNorm(1 + n, -1, 2)) or image


# Axes ----------------------------------------------------------------------------------

@kind()
def twin(ax):
    other = unit(ax).twinx()
    other.set_ylim(-2, 2)
    line, = other.plot(X, X, "C1", lw=3)
    return lambda n: line.set_ydata(wave(n) * 2 - 1) or line


@kind()
def inset(ax):
    small = unit(ax).inset_axes([0.5, 0.5, 0.4, 0.4], xlim=(0, 1), ylim=(0, 1))
    ax.indicate_inset([0.1, 0.1, 0.2, 0.2], small)
    line, = small.plot(X, X, lw=3)
    return lambda n: line.set_ydata(wave(n)) or line


@kind()
def secondary(ax):
    unit(ax).secondary_xaxis("top", functions=(lambda x: x * 10, lambda x: x / 10))
    line, = ax.plot(X, X, lw=3)
    return lambda n: line.set_ydata(wave(n)) or line


@kind()
def log(ax):
    line, = ax.loglog(X, X, "o-")
    ax.set(xlim=(0.01, 1), ylim=(1e-4, 1))
    return lambda n: line.set_ydata(X ** (n + 1)) or line


@kind()
def symlog(ax):
    ax.set(yscale="symlog", ylim=(-100, 100), xlim=(0, 1))
    line, = ax.plot(X, X, lw=3)
    return lambda n: line.set_ydata((wave(n) - 0.5) * 100) or line


@kind()
def logit(ax):
    ax.set(yscale="logit", ylim=(0.01, 0.99), xlim=(0, 1))
    line, = ax.plot(X, X, lw=3)
    return lambda n: line.set_ydata(wave(n)) or line


@kind()
def dates(ax):
    days = [datetime.date(2024, 1, 1) + datetime.timedelta(days=int(20 * x)) for x in X]
    line, = ax.plot(days, wave(0))
    ax.xaxis.set_major_formatter(DateFormatter("%d"))
    return lambda n: line.set_ydata(wave(n)) or line


@kind()
def categories(ax):
    bars = ax.bar(["tanh", "relu", "id"], [1, 2, 3])
    line, = ax.plot(["tanh", "relu", "id"], [1, 2, 3], "ko-")
    return lambda n: ([b.set_height(1 + (k + n) % 3) for k, b in enumerate(bars)], line.set_ydata(np.roll([1, 2, 3], n))) and (bars, line)


@kind(projection="polar")
def polar(ax):
    line, = ax.plot(6 * X, X, lw=2)
    bars = ax.bar([0, 2, 4], [0.5, 0.7, 0.9], width=0.5, alpha=0.5)
    area = ax.fill(6 * X[:5], X[:5], "C2")
    ax.set_rlim(0, 1)

    def update(n):
        line.set_ydata(wave(n))
        bars[1].set_height(0.3 + 0.3 * n)
        area[0].set_xy(np.c_[2 * n + 4 * X[:5], X[:5] * 4])
        return line, bars, area

    return update


@kind("update changed the limits, scale, view", projection="polar")
def polar_turned(ax):
    line, = ax.plot(6 * X, X)
    return lambda n: ax.set_theta_offset(n) or line


@kind("update changed the limits, scale, view", projection="polar")
def polar_labels_turned(ax):
    line, = ax.plot(6 * X, X)
    return lambda n: ax.set_rlabel_position(50 * n) or line


@kind(projection="mollweide")
def globe(ax):
    line, = ax.plot(6 * X - 3, X, lw=3)
    ax.tick_params(labelleft=False, labelbottom=False)  # Matplotlib puts them 4 pixels off, whatever a pixel is
    return lambda n: line.set_ydata(wave(n) * 2 - 1) or line


@kind("has more sizes than points")
def more_sizes_than_points(ax):
    unit(ax).scatter([0.2, 0.8], [0.5, 0.5]).set_sizes([20, 50, 100, 200])
    line, = ax.plot(X, X)
    return lambda n: line.set_ydata(wave(n)) or line


@kind("has an alpha and is clipped by another path than a rectangle")
def still_image_in_a_circle(ax):
    image = unit(ax).imshow(HILLS, extent=(0, 1, 0, 1), aspect="auto", alpha=0.5)
    image.set_clip_path(patches.Circle((0.5, 0.5), 0.4, transform=ax.transData))
    line, = ax.plot(X, X)
    return lambda n: line.set_ydata(wave(n)) or line


@kind(projection="3d")
def solid_lines(ax):
    ax.set(xlim=(0, 1), ylim=(0, 1), zlim=(0, 1))
    line, = ax.plot(X, X, wave(0), lw=3)
    note = ax.text(0.5, 0.5, 0.5, "a")
    return lambda n: (line.set_data_3d(X, X, wave(n)), note.set_position_3d((0.2 * n, 0.5, 0.5))) and (line, note)


@kind(projection="3d")
def solid_scatter(ax):
    ax.set(xlim=(0, 1), ylim=(0, 1), zlim=(0, 1))
    x = X[::4]
    cloud = ax.scatter(x, x, wave(0)[::4], s=40)

    def update(n):
        cloud._offsets3d = (x, x[::-1], wave(n)[::4])
        return cloud

    return update


@kind(projection="3d")
def surfaces_shown_and_hidden(ax):
    grid = np.meshgrid(GRID, GRID)
    surfaces = [ax.plot_surface(*grid, HILLS * sign, rstride=2, cstride=2, color=f"C{k}") for k, sign in enumerate((1, -1, 0.2))]
    return lambda n: [surface.set_visible(k == n) or surface for k, surface in enumerate(surfaces)]


@kind(projection="3d")
def surfaces_one_by_one(ax):
    """Those that come later lie in front of those that were there."""
    grid = np.meshgrid(GRID, GRID)
    surfaces = [ax.plot_surface(*grid, HILLS / 3 + k, rstride=2, cstride=2, color=f"C{k}") for k in range(3)]
    ax.set_zlim(-1, 3)
    return lambda n: [surface.set_visible(k <= n) or surface for k, surface in enumerate(surfaces)]


@kind(projection="3d")
def solids(ax):
    grid = np.meshgrid(GRID, GRID)
    wires = ax.plot_wireframe(*grid, HILLS, rstride=2, cstride=2)
    blocks = ax.bar3d([-1, 0.5], [-1, 0], [-1, -1], 0.3, 0.3, [1, 2])
    return lambda n: (wires.set(color=f"C{n}", linewidth=1 + n), blocks.set_alpha(1 - n / 3)) and (wires, blocks)


@kind("lie one behind the other in another order", projection="3d")
def solids_pass_each_other(ax):
    ax.set(xlim=(0, 1), ylim=(0, 1), zlim=(0, 1))
    still, moving = (ax.scatter([0.5], [0.5], [0.5], s=900, c=colour) for colour in ("C0", "C1"))

    def update(n):
        moving._offsets3d = ([0.4 + 0.1 * n], [0.3 + 0.2 * n], [0.5])
        return still, moving

    return update


@kind(projection="3d", computed_zorder=False)
def solids_in_a_fixed_order(ax):
    ax.set(xlim=(0, 1), ylim=(0, 1), zlim=(0, 1))
    still, moving = (ax.scatter([0.5], [0.5], [0.5], s=900, c=colour) for colour in ("C0", "C1"))

    def update(n):
        moving._offsets3d = ([0.4 + 0.1 * n], [0.3 + 0.2 * n], [0.5])
        return moving

    return update


@kind("update changed the limits, scale, view", projection="3d")
def view(ax):
    line, = ax.plot(X, X, X)
    return lambda n: ax.view_init(30, 20 * n) or line


@kind()
def subfigures(ax):
    figure = ax.figure
    ax.remove()
    left, right = figure.subfigures(1, 2)
    line, = unit(left.subplots()).plot(X, X)
    note = right.suptitle("a")
    return lambda n: (line.set_ydata(wave(n)), note.set_text("word"[: n + 2])) and (line, note)


@kind()
def colours_of_the_ground(ax):
    ax.figure.set_facecolor("0.8")
    ax.set_facecolor("#ffeecc")
    line, = unit(ax).plot(X, X, lw=3)
    return lambda n: line.set_ydata(wave(n)) or line


@kind()
def still_parts_of_every_kind(ax):
    """Only a line moves; behind it stands what may not."""
    unit(ax).bar([0.2, 0.5], [0.4, 0.7], width=0.2, hatch="//", fc="w")
    ax.pcolormesh([0.6, 0.8, 1], [0, 0.5, 1], np.eye(2), alpha=0.5)
    ax.imshow(HILLS, extent=(0, 0.5, 0.6, 1), aspect="auto", rasterized=True)
    ax.grid(True)
    line, = ax.plot(X, X, lw=3, animated=True)
    return lambda n: line.set_ydata(wave(n)) or line


@kind()
def rasterized(ax):
    """Each line lies on what is rasterized."""
    unit(ax).set_rasterization_zorder(0)
    below = ax.plot(X, X, lw=6, zorder=-1)
    ax.fill_between(X, 0, 0.3, fc="C2", rasterized=True)
    above = ax.plot(X, 1 - X, lw=6, c="C1", rasterized=True)
    box = ax.legend([below[0]], ["a"], loc="upper center")
    box.set_rasterized(True)
    entry = box.get_texts()[0]
    return lambda n: (below[0].set_ydata(wave(n)), above[0].set_ydata(wave(n + 1) / 2), entry.set_color(f"C{n}")) and (below, above, entry)


@kind()
def ids_of_the_page(ax):
    ax.add_patch(patches.Rectangle((0.1, 0.1), 0.8, 0.3, fc="C3", gid="fig-ids-of-the-page-slot-0"))
    note = ax.text(0.1, 0.8, "still", gid="fig-ids-of-the-page-clip0", size=16)
    note.set_gid("fig-ids-of-the-page-slot-0")
    line, = unit(ax).plot(X, wave(0), lw=4)
    return lambda n: line.set_ydata(wave(n)) or line


@kind()
def image_in_a_disc(ax):
    image = unit(ax).imshow(HILLS, extent=(0, 1, 0, 1), aspect="auto", alpha=0.5)
    image.set_clip_path(patches.Circle((0.5, 0.5), 0.4, transform=ax.transData))
    return lambda n: image.set_data(np.roll(HILLS, 2 * n)) or image


# Refused for what update does, not for what is drawn -------------------------------------

@kind("an agg_filter cannot be recorded")
def agg_filter(ax):
    line, = ax.plot(X, X, agg_filter=lambda image, dpi: (1 - image[..., ::-1], 0, 0))
    return lambda n: line.set_ydata(wave(n)) or line


@kind("sketch parameters")
def sketch(ax):
    line, = ax.plot(X, X, sketch_params=2)
    return lambda n: line.set_ydata(wave(n)) or line


@kind("order in which artists are drawn")
def zorder(ax):
    lines = ax.plot(X, np.c_[X, 1 - X], lw=9)
    return lambda n: lines[0].set_zorder(2 + n) or lines


@kind("order in which artists are drawn")
def zorder_of_what_stands_still(ax):
    lines = ax.plot(X, np.c_[X, 1 - X], lw=9)
    return lambda n: lines[0].set_zorder(2 + n) or lines[1]


@kind("limits, scale, view or place of an axes")
def aspect(ax):
    line, = ax.plot(X, X)
    return lambda n: ax.set_aspect(1 + n) or line


@kind("update changed Rectangle")
def hatch_of_what_stands_still(ax):
    bars = ax.bar([0, 1], [1, 2], hatch="/")
    line, = ax.plot([0, 1], [1, 1])
    return lambda n: bars[0].set_hatch_linewidth(1 + n) or line


@kind("update changed Rectangle")
def hatch_colour_of_what_stands_still(ax):
    bars = ax.bar([0, 1], [1, 2], hatch="/")
    line, = ax.plot([0, 1], [1, 1])
    return lambda n: bars[0].set(edgecolor=f"C{n}", linewidth=0) and line


@kind("update changed YAxis.* its ticks, its grid")
def grid(ax):
    line, = ax.plot(X, X)
    return lambda n: ax.grid(n > 0, axis="y") or line


@kind("update changed XAxis.* its ticks, its grid")
def ticks(ax):
    line, = ax.plot(X, X)
    return lambda n: ax.set_xticks([0, 0.3 * n + 0.1]) and line


@kind(r"would not show Text\(.*'0.0'\)")
def formatter(ax):
    line, = ax.plot(X * 1000, X)
    return lambda n: ax.ticklabel_format(axis="x", style="sci" if n else "plain", scilimits=(0, 0)) or line


@kind("update changed Annotation")
def note_on_what_moves(ax):
    bar, = ax.bar([0], [1])
    ax.annotate("on top", (0.5, 0.5), xycoords=bar, ha="center")
    return lambda n: bar.set_height(1 - n / 4) or bar


@kind("update changed Annotation")
def note_aside_of_what_moves(ax):
    bar, = ax.bar([0], [1])
    ax.annotate("on top", (0.5, 0.5), xycoords=("data", bar), ha="center")
    return lambda n: bar.set_height(1 - n / 4) or bar


@kind("update changed FancyArrowPatch")
def arrow_to_what_moves(ax):
    disc = unit(ax).add_patch(patches.Circle((0.2, 0.2), 0.1))
    ax.add_patch(patches.FancyArrowPatch((0.2, 0.2), (0.8, 0.8), patchA=disc, mutation_scale=10))
    return lambda n: disc.set_radius(0.1 + n / 10) or disc


@kind("update changed Line2D")
def cut_by_what_moves(ax):
    shape = unit(ax).add_patch(patches.Polygon([(0, 0), (1, 0), (0, 1)], fc="none"))
    ax.plot(X, X, lw=9)[0].set_clip_path(shape)
    return lambda n: shape.set_xy([(0, 0), (1, n / 3), (0, 1)]) or shape


@kind("is there chance in it")
def chance(ax):
    random = np.random.default_rng(0)
    line, = ax.plot(X, X)
    return lambda n: line.set_ydata(random.random(21)) or line


@kind("is there chance in it")
def memory(ax):
    line, = ax.plot(X, X)
    return lambda n: line.set_ydata(line.get_ydata() * 0.9) or line
