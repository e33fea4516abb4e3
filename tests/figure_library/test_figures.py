"""The book's palette can be read on the light and on the dark page."""

import matplotlib
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
