"""Figures and notebooks that the tests of `explorable` share."""

import ipywidgets as w
import matplotlib.patheffects as effects
import matplotlib.pyplot as plt
import nbformat
import numpy as np
from matplotlib.collections import LineCollection
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook


def every_artist():
    """A figure with a moving artist of every kind, under a control of every type: fig, update, controls."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(6, 3))
    left.set(xlim=(0, 1), ylim=(-2, 2), xlabel="time $t$")
    right.set(xlim=(-1, 5), ylim=(1e-3, 1e3), yscale="log")
    twin = left.twinx()
    twin.set_ylim(0, 4)
    inset = left.inset_axes([0.6, 0.1, 0.3, 0.2], xlim=(0, 1), ylim=(0, 1))
    x = np.linspace(0, 1, 41)
    curve, = left.plot(x, x)
    steps, = left.plot(x[::8], x[::8], drawstyle="steps-mid", ls="--", path_effects=[effects.withStroke(linewidth=3, foreground="w")])
    other, = twin.plot([0, 1], [0, 1], "k:")
    small, = inset.plot([0, 1], [0, 1])
    filled = left.fill_between(x, 0 * x, x, alpha=0.3)
    fan = LineCollection([[(0, 0), (1, k)] for k in range(3)], colors=["C0", "C1", "C2"])
    left.add_collection(fan)
    image = left.imshow(np.eye(3), extent=(0, 0.3, -2, -1), aspect="auto", vmin=0, vmax=2)
    bars = right.bar(range(3), [1, 1, 1])
    cloud = right.scatter(range(4), np.ones(4), s=[10, 40, 90, 160], c=range(4))
    marks, = right.plot(range(3), [1, 2, 3], "s-", color="k", mfc="w")
    plain = left.text(0.5, 1.5, "", ha="center")
    turned = left.text(0.9, 0.5, "turned", rotation=30, ha="right", family="monospace", weight="bold")
    formula = right.text(0, 100, r"$\alpha$")
    note = right.annotate("here", (1, 1), (3, 0.01), arrowprops={"arrowstyle": "->"}, bbox={"boxstyle": "round", "fc": "w"})
    title = fig.suptitle("start")

    def update(n, gain, scale, size, kind, cell, on):
        wave = gain * np.sin(6 * x + n)
        curve.set_data(x, np.where((x > 0.4) & (x < 0.5) & on, np.nan, wave))
        curve.set_color("C3" if kind == "relu" else "k")
        steps.set_ydata(wave[::8])
        other.set_ydata([n, 4 * gain])
        small.set_data([0, 1], [0.2 * n, 1])
        filled.set_verts([np.c_[np.r_[x, x[::-1]], np.r_[0 * x, wave[::-1]]]])
        fan.set_segments([[(0, 0), (1, k * gain)] for k in range(3)])
        image.set_data(np.eye(3) * (n - 1))
        for k, bar in enumerate(bars):
            bar.set_height(scale * 10.0**k)
        cloud.set_offsets(np.c_[np.arange(4), scale * np.arange(1, 5)][: n + 1])
        cloud.set_sizes([size * 10] if size == 1 else [10, 40, 90, 160])
        cloud.set_array(np.arange(n + 1))
        marks.set_ydata(scale * np.arange(1, 4.0))
        marks.set_visible(on)
        plain.set_text(["", "  a < b & c", 'say "5 $"'][n - 1])
        turned.set_alpha(0.5 if on else None)
        formula.set_text(rf"$\alpha_{n}$")
        note.xy = (n, scale)
        note.arrow_patch.set_visible(kind == "relu")
        title.set_text(f"{cell}\n{kind}")
        return (curve, steps, other, small, filled, fan, image, bars, cloud, marks, plain, turned, formula, note, title)

    controls = dict(
        n=w.IntSlider(min=1, max=3, value=2),
        gain=w.FloatSlider(min=-1, max=1, step=1, value=-1),
        scale=w.FloatLogSlider(min=-2, max=0, step=2, value=1),
        size=w.SelectionSlider(options=[("small <1>", 1), ('"large"', 4)]),
        kind=w.Dropdown(options=["relu", "tanh & co"], value="tanh & co"),
        cell=w.ToggleButtons(options=["a cell", "50 % + é"]),
        on=w.Checkbox(value=True, description="dots"),
    )
    return fig, update, controls


def one_curve():
    """A line under one slider, `n` from 0 to 4, value 1: fig, line, update, controls."""
    fig, ax = plt.subplots(figsize=(4, 3))
    line, = ax.plot([0, 1, 2], [0, 0, 0])
    ax.set_ylim(0, 4)

    def update(n):
        line.set_ydata([0, n, 4 - n])
        return line,

    return fig, line, update, {"n": w.IntSlider(min=0, max=4, value=1)}


def write(path, *sources):
    """A notebook of a title and these cells."""
    nbformat.write(new_notebook(cells=[new_markdown_cell("# Title"), *map(new_code_cell, sources)]), path)
