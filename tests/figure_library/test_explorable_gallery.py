"""A recorded figure equals the live one or is refused: every kind of figure in `gallery.py`, in pixels.

The page shows a figure at one CSS pixel a point; at a device scale of 2 its
pixels are those of `Explorable.png`.
"""

import io
from pathlib import Path

import ipywidgets as w
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image, ImageChops, ImageFilter

import explorable
import pages
from explorable import explore
from explorable.figure import RECORD
from gallery import KINDS

INCHES = (2, 1.5)
WIDTH, HEIGHT = (72 * inches for inches in INCHES)
COLUMNS = 10
STATES = 3
LIMIT = 40  # of 255, for `difference`: edges of letters


def record(name):
    kind = KINDS[name]
    fig, ax = plt.subplots(figsize=INCHES, subplot_kw=kind.axes, gridspec_kw=dict(left=0.25, right=0.9, bottom=0.3, top=0.8))
    slider = w.IntSlider(min=0, max=STATES - 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(RECORD, "1")
        return explore(fig, kind.make(ax), id="fig-" + name.replace("_", "-"), alt="A.", caption="A.", n=slider)


def pictures(explored):
    """Matplotlib's own, of every state."""
    for n in range(STATES):
        explored.show({"n": n})
        yield Image.open(io.BytesIO(explored.png())).convert("RGB")


@pytest.fixture(scope="module")
def recorded():
    """By name: the figures that are not refused."""
    return {name: record(name) for name, kind in KINDS.items() if not kind.refused}


@pytest.fixture(scope="module")
def shown(recorded, browser, tmp_path_factory):
    """By name: the page's pictures of every state."""
    static = Path(explorable.__path__[0], "static")
    font = Path(matplotlib.get_data_path(), "fonts", "ttf")
    faces = "".join(
        f'@font-face {{ font-family: "DejaVu Sans"; src: url("{(font / f"DejaVuSans{file}.ttf").as_uri()}"); {style} }}'
        for file, style in (("", ""), ("-Bold", "font-weight: bold"), ("-Oblique", "font-style: italic"),
                            ("-BoldOblique", "font-weight: bold; font-style: italic")))
    page_style = f"""
      body {{ margin: 0; display: grid; grid-template-columns: repeat({COLUMNS}, {WIDTH}px); grid-auto-rows: {HEIGHT}px }}
      figure.explorable {{ margin: 0; overflow: hidden }} figure.explorable svg {{ max-width: none !important; width: {WIDTH}px }}"""
    style, script = ((static / name).read_text(encoding="utf-8") for name in ("explorable.css", "explorable.js"))
    html = (f'<!doctype html><html><head><meta charset="utf-8"><style>{faces}{style}{page_style}</style></head>'
            f'<body>{"".join(explored._html for explored in recorded.values())}<script>{script}</script></body></html>')
    file = tmp_path_factory.mktemp("gallery") / "gallery.html"
    file.write_text(html, encoding="utf-8")
    context = browser.new_context(viewport={"width": int(COLUMNS * WIDTH), "height": 900}, device_scale_factor=2)
    page = context.new_page()
    pages.watch(page)
    page.goto(file.as_uri())
    page.wait_for_function(f"document.querySelectorAll('figure[data-ready]').length === {len(recorded)}")
    found = {name: [] for name in recorded}
    for n in range(STATES):
        page.evaluate("""async (n) => {
          for (const input of document.querySelectorAll("input")) {
            input.value = n;
            input.dispatchEvent(new Event("input", { bubbles: true }));
          }
          await document.fonts.ready;
        }""", n)
        whole = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
        for place, name in enumerate(recorded):
            x, y = place % COLUMNS * 2 * WIDTH, place // COLUMNS * 2 * HEIGHT
            found[name].append(whole.crop((x, y, x + 2 * WIDTH, y + 2 * HEIGHT)))
    assert pages.console_errors(page.messages) == []
    context.close()
    return found


def difference(a, b):
    """How far two pictures differ, of 255: the largest mean over 7 by 7 pixels of what no pixel next door explains.

    Agg moves lines to whole pixels and hints letters, Chromium doesn't: so a pixel is compared with the lightest and the
    darkest of the nine around it in the other picture, both ways round.
    """
    rest = ImageChops.lighter(_unexplained(a, b), _unexplained(b, a)).filter(ImageFilter.BoxBlur(3))
    return max(high for _, high in rest.getextrema())


def _unexplained(one, other):
    around = np.pad(np.asarray(other), ((1, 1), (1, 1), (0, 0)), mode="edge")

    def extreme(of):
        rows = of(of(around[:-2], around[1:-1]), around[2:])
        return Image.fromarray(of(of(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:]))

    lightest, darkest = extreme(np.maximum), extreme(np.minimum)
    return ImageChops.lighter(ImageChops.subtract(one, lightest), ImageChops.subtract(darkest, one))


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if not kind.refused])
def test_the_page_shows_what_matplotlib_paints(name, recorded, shown):
    painted = list(pictures(recorded[name]))
    for n, picture in enumerate(painted):
        assert difference(shown[name][n], picture) < LIMIT, f"n={n}"
        assert difference(shown[name][n], painted[n - 1]) > 1.5 * LIMIT, f"n={n} looks like n={(n - 1) % STATES}"


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.refused])
def test_or_the_figure_is_refused(name):
    with pytest.raises((RuntimeError, TypeError), match=KINDS[name].refused):
        record(name)
