"""The book's palette can be read on the light and on the dark page."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb

import chapters
import figures

PALETTE = (figures.BLUE, figures.ORANGE, figures.GREEN, figures.PINK, figures.GREY)


def luminance(color):
    """Relative luminance, WCAG 2.1."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("color", PALETTE)
@pytest.mark.parametrize("page", ["#ffffff", "#14181e"])
def test_colours_stand_out_from_the_page(color, page):
    assert contrast(color, page) >= 3  # WCAG 2.1, 1.4.11, graphical objects


def test_the_style_uses_the_palette():
    style = matplotlib.rc_params_from_file(chapters.BOOK / "figures.mplstyle", use_default_template=False)
    assert [f"#{color}" if color[0] != "#" else color for color in style["axes.prop_cycle"].by_key()["color"]] == [*PALETTE]


@pytest.mark.parametrize("share", [0, 0.25, 0.5, 0.75, 1])
def test_the_numbers_in_a_table_of_rates_can_be_read(share):
    table = figures.windows(plt.figure().add_subplot(), ["tanh", "LSTM"], [0.001, 0.003])
    artists = figures.fill_windows(table, {(1, 0): (share, "3")})
    assert contrast(table.image.to_rgba(np.array([[share]]))[0, 0, :3], table.notes[1][0].get_color()) >= 4.5
    assert [[note.get_text() for note in row] for row in table.notes] == [["", ""], ["3", ""]]
    shown = np.ma.filled(table.image.get_array(), np.nan)
    assert shown[1, 0] == share and np.isnan(shown[[0, 0, 1], [0, 1, 1]]).all()
    assert {*artists} == {table.image, *table.notes[0], *table.notes[1]}
    figures.fill_windows(table, {})
    assert np.isnan(np.ma.filled(table.image.get_array(), np.nan)).all() and table.notes[1][0].get_text() == ""
    plt.close()


def test_the_texts_in_the_lstm_cell_stand_apart():
    with plt.style.context(chapters.BOOK / "figures.mplstyle"):
        fig, ax = plt.subplots(figsize=(4.3, 2.6))
        values = figures.lstm_cell(ax)
    assert {*values} == {"c0", "h0", "x", "f", "i", "c~", "o", "c", "tanh", "h"}
    for name, text in values.items():
        assert text.get_text() == ""
        text.set_text("0.82" if name in "fio" else "−0.82")
    fig.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts if text.get_text()]
    assert not any(one.overlaps(other) for k, one in enumerate(boxes) for other in boxes[:k])
    assert all(0 <= box.x0 and box.x1 <= fig.bbox.x1 for box in boxes)
    plt.close()
