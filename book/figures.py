"""Draw functions that more than one chapter uses: arrays in, artists out, no mathematics."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyArrow
from matplotlib.text import Text

BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#808080"


class Network(NamedTuple):
    """The artists of a drawn network.

    Attributes
    ----------
    values : unit name -> the text inside the circle.
    edges : (from, to) -> the line of a weight.
    """

    values: dict[str, Text]
    edges: dict[tuple[str, str], Line2D]


def bare(ax):
    """Turn an axes into a canvas for a diagram: no frame, no ticks, equal units."""
    ax.axis("off")
    ax.set_aspect("equal")
    return ax


def _unit(ax, centre, radius, text, fontsize=11) -> Text:
    """Draw a unit, a circle with a text in it; the text."""
    ax.add_patch(Circle(centre, radius, facecolor="white", edgecolor="black", lw=1.2, zorder=2))
    return ax.text(*centre, text, ha="center", va="center", fontsize=fontsize, zorder=5)


def network(ax, layers: list[list[str]], weights: dict[tuple[str, str], str], dx=3.0, dy=2.0, radius=0.48) -> Network:
    """Draw a fully connected net, inputs on the left.

    Parameters
    ----------
    layers : names of the units, layer by layer; ``"h1"`` is set as $h_1$.
    weights : (from, to) -> the text on that edge.
    dx, dy, radius : distances between layers and units, and size of a unit.
    """
    bare(ax)
    place = {
        name: np.array([dx * i, -dy * j]) for i, layer in enumerate(layers) for j, name in enumerate(layer)
    }
    edges, values = {}, {}
    for (start, end), text in weights.items():
        a, b = place[start], place[end]
        edges[start, end], = ax.plot(*np.stack([a, b], axis=1), color=GREY, lw=1.2, zorder=1)
        level = a[1] == b[1]
        middle = a + (0.5 if level else 0.27) * (b - a)
        ax.text(*middle, text, ha="center", va="center", fontsize=10, zorder=4,
                bbox=dict(facecolor="white", edgecolor="none", pad=1.0))
    for name, centre in place.items():
        values[name] = _unit(ax, centre, radius, "", fontsize=10)
        ax.text(centre[0], centre[1] + radius + 0.12, f"${name[0]}_{name[1:]}$", ha="center", va="bottom", fontsize=11)
    ax.set_xlim(-radius - 0.1, dx * (len(layers) - 1) + radius + 0.1)
    ax.set_ylim(-dy * (max(map(len, layers)) - 1) - radius - 0.1, radius + 0.7)
    return Network(values, edges)


def network_2_2_2(ax) -> Network:
    """The net of chapter 1: inputs i1, i2, hidden units h1, h2, outputs o1, o2, weights w1 to w8."""
    ends = [("i1", "h1"), ("i2", "h1"), ("i1", "h2"), ("i2", "h2"), ("h1", "o1"), ("h2", "o1"), ("h1", "o2"), ("h2", "o2")]
    return network(ax, [["i1", "i2"], ["h1", "h2"], ["o1", "o2"]], {end: f"$w_{k}$" for k, end in enumerate(ends, 1)})


def mark_path(net: Network, units: list[str], color: str, shift: float = 0.0, sideways: float = 0.0) -> None:
    """Draw a path through the units of a drawn network, moved up by `shift` and to the right by `sideways`."""
    for start, end in zip(units, units[1:]):
        edge = net.edges[start, end]
        edge.axes.plot(np.asarray(edge.get_xdata()) + sideways, np.asarray(edge.get_ydata()) + shift,
                       color=color, lw=3, zorder=1.5)


def chain(ax, labels: list[str], arrows: list[str], radius=0.48, dx=1.9):
    """Draw units in a row, joined by arrows.

    Parameters
    ----------
    labels : what stands in the units, left to right.
    arrows : what stands over the arrow between each unit and the next.
    """
    bare(ax)
    for i, label in enumerate(labels):
        _unit(ax, (i * dx, 0), radius, label)
    for i, label in enumerate(arrows):
        ax.annotate("", xy=((i + 1) * dx - radius, 0), xytext=(i * dx + radius, 0),
                    arrowprops=dict(arrowstyle="->", color="black", lw=1.5, shrinkA=1, shrinkB=1))
        ax.text((i + 0.5) * dx, 0.14, label, ha="center", va="bottom", fontsize=10)
    ax.set_xlim(-radius - 0.1, dx * (len(labels) - 1) + radius + 0.1)
    ax.set_ylim(-radius - 0.1, radius + 0.3)


def unrolled(ax, T: int, losses: list[int] | None = None, dx=1.9, dy=1.5, radius=0.42) -> Network:
    """Draw a recurrent net unrolled over T steps, time to the right: x below, h in a row, o and l above.

    Parameters
    ----------
    losses : the steps that have an output and a loss; None: all of them.
    dx, dy, radius : distances between steps and rows, and size of a unit.

    The units are called "x1", ..., "h0", "h1", ..., "o1", "l1", ...
    """
    bare(ax)
    losses = list(range(1, T + 1)) if losses is None else losses
    rows = [("x", 0, range(1, T + 1)), ("h", 1, range(T + 1)), ("o", 2, losses), ("l", 3, losses)]
    place = {f"{name}{t}": np.array([dx * t, dy * row]) for name, row, steps in rows for t in steps}
    ends = [(f"x{t}", f"h{t}", "$W_{hx}$") for t in range(1, T + 1)]
    ends += [(f"h{t - 1}", f"h{t}", "$W_{hh}$") for t in range(1, T + 1)]
    ends += [(f"h{t}", f"o{t}", "$W_{qh}$") for t in losses] + [(f"o{t}", f"l{t}", "") for t in losses]
    edges, values = {}, {}
    for start, end, text in ends:
        a, b = place[start], place[end]
        edges[start, end], = ax.plot(*np.stack([a, b], axis=1), color=GREY, lw=1.2, zorder=1)
        towards = (b - a) / np.linalg.norm(b - a)
        ax.annotate("", xy=b - radius * towards, xytext=b - 1.3 * radius * towards, zorder=1.8,
                    arrowprops=dict(arrowstyle="-|>", color=GREY, shrinkA=0, shrinkB=0, mutation_scale=9))
        level = a[1] == b[1]
        ax.text(*(a + b) / 2 + ((0, 0.2) if level else (0.22, 0)), text, ha="center" if level else "left",
                va="bottom" if level else "center", fontsize=9)
    for name, centre in place.items():
        values[name] = _unit(ax, centre, radius, f"${name[0]}_{name[1:]}$")
    ax.set_xlim(-radius - 0.1, dx * T + radius + (0.35 if T in losses else 0.1))
    ax.set_ylim(-radius - 0.1, dy * (3 if losses else 1) + radius + 0.1)
    return Network(values, edges)


def flow(ax, factor: float, steps: int, color: str, radius=0.42, dx=1.9):
    """Draw states h_0, ..., h_steps in a row, and between them a signal on its way back.

    Parameters
    ----------
    factor : the signal has size 1 on the right, and each step to the left multiplies it by this.
        Its size is the width of the arrow.
    """
    bare(ax)
    for t in range(steps + 1):
        _unit(ax, (dx * t, 0), radius, f"$h_{t}$")
    for t in range(1, steps + 1):
        size = factor ** (steps - t)
        ax.add_patch(FancyArrow(dx * t - radius, 0, 2 * radius - dx, 0, width=0.1 * size, head_width=0.1 * size + 0.16,
                                head_length=0.25, length_includes_head=True, color=color, lw=0))
        ax.text(dx * (t - 0.5), 0.5, f"{size:.2g}", ha="center", va="bottom", fontsize=9)
    ax.set_xlim(-radius - 0.1, dx * steps + radius + 0.1)
    ax.set_ylim(-radius - 0.1, 1.1)


def residual_stream(ax, labels: list[str], blocks: list[str], color=GREEN, dx=3.2, dy=1.25, radius=0.42):
    """Draw states in a row, joined by a straight path, with a block above each gap that adds to it.

    Parameters
    ----------
    labels : what stands in the states, left to right.
    blocks : what stands in the block between each state and the next.
    color : of the straight path.
    """
    bare(ax)
    for i, text in enumerate(blocks):
        left, fork, plus, right = dx * i + radius, dx * i + 0.8, dx * (i + 1) - 0.95, dx * (i + 1) - radius
        ax.plot([left, plus], [0, 0], color=color, lw=3.5, zorder=1)
        ax.annotate("", xy=(right, 0), xytext=(plus, 0), zorder=1,
                    arrowprops=dict(arrowstyle="-|>", color=color, lw=3.5, shrinkA=0, shrinkB=1))
        ax.plot([fork, fork], [0, dy], color=GREY, lw=1.5, zorder=0.9)
        ax.plot([fork, plus], [dy, dy], color=GREY, lw=1.5, zorder=0.9)
        ax.annotate("", xy=(plus, 0.2), xytext=(plus, dy), zorder=0.9,
                    arrowprops=dict(arrowstyle="-|>", color=GREY, lw=1.5, shrinkA=0, shrinkB=0))
        ax.text((fork + plus) / 2, dy, text, ha="center", va="center", fontsize=11, zorder=5,
                bbox=dict(boxstyle="round,pad=0.35", facecolor="white", edgecolor="black", lw=1.2))
        ax.add_patch(Circle((plus, 0), 0.2, facecolor="white", edgecolor="black", lw=1.2, zorder=2))
        ax.text(plus, 0, "+", ha="center", va="center", fontsize=11, zorder=5)
    for i, text in enumerate(labels):
        _unit(ax, (dx * i, 0), radius, text)
    ax.set_xlim(-radius - 0.1, dx * len(blocks) + radius + 0.1)
    ax.set_ylim(-radius - 0.1, dy + 0.5)


def lstm_cell(ax) -> dict[str, Text]:
    """Draw one step of an LSTM: memory above, hidden state below, gates and candidate between them.

    Colours as in `cell_paths`, by what an arrow from h or c is part of.  Green, thick: the highway.  Blue: c is shown.
    Orange: h writes, through f, i or the candidate.  Pink: h acts through the output gate.  Grey: the input.

    Returns the empty texts beside the units "c0", "h0", "x", "f", "i", "c~", "o", "c", "tanh", "h", for their values.
    """
    bare(ax)
    top, gates, bottom, radius = 3.4, 1.4, 0.0, 0.54
    place = {"c0": (0, top), "h0": (0, bottom), "x": (0.95, -1.1), "c": (9.2, top), "h": (9.2, bottom)}
    labels = {"c0": "$c_{t-1}$", "h0": "$h_{t-1}$", "x": "$x_t$", "c": "$c_t$", "h": "$h_t$"}
    column = {"f": 1.8, "i": 3.1, "c~": 4.6, "o": 6.3}
    written, shown = 2.6, 7.8  # the height of the product that is written, and where the memory turns down to h
    names = {"f": (r"$\sigma$", "$f_t$"), "i": (r"$\sigma$", "$i_t$"), "c~": ("tanh", r"$\tilde{c}_t$"), "o": (r"$\sigma$", "$o_t$")}

    def line(color, width, *points, head=True):
        *start, last = points
        if len(points) > 2:
            ax.plot(*zip(*start), color=color, lw=width, zorder=1, solid_capstyle="butt", solid_joinstyle="round")
        ax.annotate("", xy=last, xytext=start[-1], zorder=1,
                    arrowprops=dict(arrowstyle="-|>" if head else "-", color=color, lw=width, shrinkA=0, shrinkB=1))

    def sign(x, y, text):
        ax.add_patch(Circle((x, y), 0.24, facecolor="white", edgecolor="black", lw=1.2, zorder=2))
        ax.text(x, y, text, ha="center", va="center", fontsize=11, zorder=5)

    def box(x, y, text):
        ax.text(x, y, text, ha="center", va="center", fontsize=10, zorder=5,
                bbox=dict(boxstyle="round,pad=0.35", facecolor="white", edgecolor="black", lw=1.2))

    line(GREEN, 3.5, (radius, top), (9.2 - radius, top))
    line(GREY, 1.5, (0.95, radius - 1.1), (0.95, bottom - 0.06), head=False)
    line(PINK, 1.8, (column["c~"], bottom), (column["o"], bottom), (column["o"], gates - 0.3))
    line(ORANGE, 1.8, (radius, bottom), (column["c~"], bottom), (column["c~"], gates - 0.3))
    for name in "fi":
        line(ORANGE, 1.8, (column[name], bottom), (column[name], gates - 0.3))
    line(ORANGE, 1.8, (column["f"], gates + 0.3), (column["f"], top - 0.24))
    line(ORANGE, 1.8, (column["i"], gates + 0.3), (column["i"], written), (column["c~"] - 0.24, written))
    line(ORANGE, 1.8, (column["c~"], gates + 0.3), (column["c~"], written - 0.24))
    line(ORANGE, 1.8, (column["c~"], written + 0.24), (column["c~"], top - 0.24))
    line(PINK, 1.8, (column["o"] + 0.3, gates), (shown - 0.24, gates))
    line(BLUE, 1.8, (shown, top), (shown, gates + 0.24))
    line(BLUE, 1.8, (shown, gates - 0.24), (shown, bottom), (9.2 - radius, bottom))
    for name, centre in place.items():
        _unit(ax, centre, radius, labels[name])
    for name, x in column.items():
        box(x, gates, names[name][0])
        ax.text(x - 0.12, gates + 0.45, names[name][1], ha="right", va="bottom", fontsize=11)
    box(shown, written, "tanh")
    sign(column["f"], top, "×")
    sign(column["c~"], top, "+")
    sign(column["c~"], written, "×")
    sign(shown, gates, "×")
    at = {name: (x + 0.1, gates + 0.47) for name, x in column.items()}
    at |= {"c0": (-0.4, top - 1.05), "c": (8.8, top - 1.05), "h0": (-0.4, bottom + 0.68), "h": (8.8, bottom + 0.68),
           "x": (1.65, -1.3), "tanh": (shown + 0.16, 1.75)}
    values = {name: ax.text(*place, "", ha="left", va="bottom", fontsize=9) for name, place in at.items()}
    ax.set_xlim(-radius - 0.1, 9.2 + radius + 0.15)
    ax.set_ylim(-1.1 - radius - 0.1, top + radius + 0.1)
    return values


def cell_paths(ax, steps: int, dx=2.6, dy=1.9, radius=0.42):
    """Draw how the state of an LSTM acts on the next ones: c in the upper row, h in the lower, four kinds of arrows.

    Green, thick: c to c, the highway.  Blue: c to h.  Orange: h to c.  Pink: h to h.
    """
    bare(ax)
    place = {f"{name}{t}": np.array([dx * t, y]) for name, y in (("c", dy), ("h", 0)) for t in range(steps + 1)}
    for t in range(1, steps + 1):
        for start, end, color, width, text, offset in [
            (f"c{t - 1}", f"c{t}", GREEN, 3.5, "$F$", (0, 0.22)), (f"h{t - 1}", f"c{t}", ORANGE, 1.8, "$G$", (-0.22, 0.14)),
            (f"h{t - 1}", f"h{t}", PINK, 1.8, "$O$", (0, 0.22)), (f"c{t}", f"h{t}", BLUE, 1.8, "$E$", (0.2, 0)),
        ]:
            a, b = place[start], place[end]
            towards = (b - a) / np.linalg.norm(b - a)
            ax.annotate("", xy=b - radius * towards, xytext=a + radius * towards, zorder=1,
                        arrowprops=dict(arrowstyle="-|>", color=color, lw=width, shrinkA=0, shrinkB=1))
            ax.text(*(a + b) / 2 + offset, text, ha="center", va="center", fontsize=10)
    for name, centre in place.items():
        _unit(ax, centre, radius, f"${name[0]}_{name[1:]}$")
    ax.set_xlim(-radius - 0.1, dx * steps + radius + 0.3)
    ax.set_ylim(-radius - 0.1, dy + radius + 0.1)


class Windows(NamedTuple):
    """The artists of a table of learning rates.

    Attributes
    ----------
    image : a cell for each row and rate, coloured by share.
    notes : the text in each cell, row by row.
    """

    image: AxesImage
    notes: list[list[Text]]


def windows(ax, rows: list[str], rates: list[float]) -> Windows:
    """Draw an empty table: a row for each kind of net, a column for each learning rate; see `fill_windows`."""
    image = ax.imshow(np.full((len(rows), len(rates)), np.nan), cmap="Blues", vmin=0, vmax=1.6, aspect="auto")
    notes = [[ax.text(j, i, "", ha="center", va="center", fontsize=9, color="#101010") for j in range(len(rates))]
             for i in range(len(rows))]
    ax.set(xticks=range(len(rates)), yticks=range(len(rows)), yticklabels=rows, xlabel="learning rate")
    ax.set_xticklabels([f"{rate:.3g}" for rate in rates], rotation=45)
    ax.tick_params(length=0)
    ax.grid(False)
    ax.set_xticks(np.arange(len(rates) + 1) - 0.5, minor=True)
    ax.set_yticks(np.arange(len(rows) + 1) - 0.5, minor=True)
    ax.grid(which="minor", color=GREY, lw=0.5)
    ax.tick_params(which="minor", length=0)
    return Windows(image, notes)


def fill_windows(table: Windows, cells: dict[tuple[int, int], tuple[float, str]]) -> list:
    """Colour and label the cells of `windows`; returns the artists.

    cells : (row, column) -> (share from 0 to 1, text); where there is none, nothing was tried, and the cell stays empty.
    """
    shares = np.full(table.image.get_array().shape, np.nan)
    for i, row in enumerate(table.notes):
        for j, note in enumerate(row):
            shares[i, j], text = cells.get((i, j), (np.nan, ""))
            note.set_text(text)
    table.image.set_data(shares)
    return [table.image, *(note for row in table.notes for note in row)]
