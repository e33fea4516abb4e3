"""The built book in a real browser: alive, equal to NumPy, at home on a phone and in the dark, and alone."""

from __future__ import annotations

import html
import random
import re
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.lines import Line2D
from matplotlib.text import Text

import chapters
import pages
import problem_sets
from explorable.controls import make_control

QUANTUM = 0.06  # SVG units: half a tenth, and rounding
SAMPLES = 12  # random states of each explorable, beside the ends of each control
NAMES = chapters.names()
WITH_CONTROLS = [name for name in NAMES if (name.endswith("index") or re.search(r"/\d\d_", name))
                 and not name.endswith("12_pytorch")]  # a figure with controls there would need PyTorch to be recorded
DARK = "localStorage.setItem('mode', 'dark'); localStorage.setItem('theme', 'dark')"


@pytest.fixture(scope="session")
def site(browser):
    """The folder of the strictly built book; unchanged chapters come from the cache."""
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    built = subprocess.run([*command, "build", str(chapters.ROOT), "-W", "-n", "--keep-going"], capture_output=True, text=True)
    assert built.returncode == 0, built.stdout[-5000:] + built.stderr[-5000:]
    return chapters.ROOT / "_build" / "html"


@pytest.fixture(scope="session")
def address(site, serve):
    return serve(site)


def open_page(page, url):
    page.goto(url, wait_until="load")
    for figure in page.locator("figure.explorable:has(form)").all():
        pages.ready(page, figure.get_attribute("id"))
    return page


def states_to_try(controls):
    """Both ends of every control, and random states; dicts name -> index of the value."""
    first = {c.name: c.initial for c in controls}
    yield first
    for c in controls:
        for end in (0, len(c.values) - 1):
            yield first | {c.name: end}
    rng = random.Random(0)
    for _ in range(SAMPLES):
        yield {c.name: rng.randrange(len(c.values)) for c in controls}


def native_value(page, call, control, index):
    return pages.control_values(page, call.id, control.name)[index]


def check_line(line, element, height):
    """The points inside the axes are the path's points, and the path has no others there."""
    wanted = line.axes.transData.transform(line.get_xydata())
    box = line.axes.bbox.extents
    inside = (wanted >= box[:2] - 1e-6).all(axis=1) & (wanted <= box[2:] + 1e-6).all(axis=1)
    wanted = np.column_stack([wanted[:, 0], height - wanted[:, 1]])
    pieces = pages.read_path(element) if line.get_linestyle() != "None" else [pages.read_markers(element)]
    found = np.concatenate(pieces) if pieces else np.empty((0, 2))
    for point in wanted[inside]:
        assert np.abs(found - point).max(axis=1).min() <= QUANTUM, f"{point} is missing"
    x0, y0, x1, y1 = box[0] + 1, height - box[3] + 1, box[2] - 1, height - box[1] - 1
    for x, y in found:
        if x0 < x < x1 and y0 < y < y1:
            assert np.abs(wanted - (x, y)).max(axis=1).min() <= QUANTUM, f"({x}, {y}) is no point of the data"


def check_state(page, call):
    """What the page shows equals what `update` has just computed in this process."""
    height = call.fig.get_size_inches()[1] * 72
    figure = page.locator(f"#{call.id}")
    compared = 0
    for number, artist in enumerate(_flat(call.returned)):
        shown = figure.locator(f".explorable-slot[data-artist='{number}'] > *:visible")
        if isinstance(artist, Text):
            assert "".join(shown.all_text_contents()) == artist.get_text()
            compared += 1
        elif isinstance(artist, Line2D) and artist.get_visible():
            slot = figure.locator(f".explorable-slot[data-artist='{number}'] > path")
            if slot.count() and slot.first.get_attribute("style") != "display:none":
                check_line(artist, slot.first, height)
                compared += 1
    assert compared


def _flat(returned):
    return [artist for item in returned for artist in (_flat(item) if isinstance(item, (tuple, list)) else [item])]


class Replay:
    """A call of `explore`, with what its `update` returned last."""

    def __init__(self, call):
        self.fig, self.update, self.id = call.fig, call.update, call.id
        self.controls = [make_control(name, widget) for name, widget in call.controls.items()]

    def run(self, indices):
        self.returned = self.update(**{c.name: c.values[indices[c.name]] for c in self.controls})


def replays(name):
    source = chapters.ROOT / f"{name}.ipynb"
    return [Replay(call) for call in chapters.explore_calls(source if source.exists() else source.with_suffix(".md"))]


@pytest.mark.parametrize("name", WITH_CONTROLS)
def test_explorables_show_what_numpy_computes(name, address, new_page):
    page = open_page(new_page(), f"{address}/{name}.html")
    found = replays(name)
    shown = [figure.get_attribute("id") for figure in page.locator("figure.explorable:has(form)").all()]
    assert [call.id for call in found] == shown
    assert len(set(shown)) == len(shown), "two figures with the same id"
    for call in found:
        for indices in states_to_try(call.controls):
            call.run(indices)
            for control in call.controls:
                pages.set_control(page, call.id, control.name, native_value(page, call, control, indices[control.name]))
            check_state(page, call)
        for moved in call.controls:  # each from the first state, where every control should matter
            for control in call.controls:
                pages.set_control(page, call.id, control.name, native_value(page, call, control, control.initial))
            pages.assert_moves(page, call.id, moved.name)
    assert pages.console_errors(page.messages) == []


def test_a_wrong_curve_is_caught(address, new_page):
    """The comparison above can fail: bend one curve of the page by three units."""
    page = open_page(new_page(), f"{address}/book/02_vanishing_in_depth.html")
    call = next(call for call in replays("book/02_vanishing_in_depth") if call.id == "fig-activation")
    call.run({c.name: c.initial for c in call.controls})
    check_state(page, call)
    page.evaluate("""() => {
        const path = document.querySelector("#fig-activation .explorable-slot[data-artist='0'] path");
        path.setAttribute("d", path.getAttribute("d").replace(/L(\\S+) (\\S+)/, (_, x, y) => `L${x} ${Number(y) + 3}`));
    }""")
    with pytest.raises(AssertionError):
        check_state(page, call)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scheme", ["http", "file"])
def test_pages_are_alone_and_quiet(name, scheme, site, address, new_page):
    page = open_page(new_page(), f"{address}/{name}.html" if scheme == "http" else (site / f"{name}.html").as_uri())
    page.wait_for_load_state("networkidle")
    assert pages.foreign_requests(page.requests) == []
    assert pages.console_errors(page.messages) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_formula_is_typeset(name, address, new_page):
    """MathJax marks what it can't parse, and leaves alone what has unbalanced braces."""
    page = open_page(new_page(), f"{address}/{name}.html")
    page.evaluate("window.MathJax?.startup.promise")
    left = page.evaluate("""() => [...document.querySelectorAll(".math, mjx-merror, [data-mjx-error]")]
        .filter((element) => element.matches("mjx-merror, [data-mjx-error]") || !element.querySelector("mjx-container"))
        .map((element) => element.outerHTML.slice(0, 200))""")
    assert left == []


@pytest.mark.parametrize("name", NAMES)
def test_nothing_overflows_a_phone(name, address, new_page):
    page = open_page(new_page(viewport={"width": 360, "height": 740}), f"{address}/{name}.html")
    page.wait_for_load_state("networkidle")
    too_wide = page.evaluate("""() => [...document.querySelectorAll("body *")].filter((element) => {
        const box = element.getBoundingClientRect();
        if (box.right <= 361 || !box.width || !box.height || !element.checkVisibility()) return false;
        for (let up = element; up !== document.body; up = up.parentElement)
            if (/(auto|scroll)/.test(getComputedStyle(up).overflowX) && up.getBoundingClientRect().right <= 361
                && up.clientWidth < innerWidth) return false;
        return !element.closest(".bd-sidebar-primary, .bd-sidebar-secondary, dialog, mjx-assistive-mml, .explorable-hidden, .visually-hidden");
    }).map((element) => element.outerHTML.slice(0, 120))""")
    assert too_wide == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_accessible(name, mode, address, new_page):
    from axe_playwright_python.sync_playwright import Axe

    page = new_page()
    if mode == "dark":
        page.add_init_script(DARK)
    open_page(page, f"{address}/{name}.html").wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.dataset.theme") == mode
    found = Axe().run(page).response["violations"]
    grave = [
        f"{violation['id']}: {node['html'][:150]}" for violation in found
        if violation["impact"] in ("serious", "critical") for node in violation["nodes"]
    ]
    assert grave == []


@pytest.mark.parametrize("name", WITH_CONTROLS)
def test_links_to_settings_work(name, address, new_page):
    """A link in the text to a setting of a figure names controls and values that exist."""
    page = open_page(new_page(), f"{address}/{name}.html")
    links = page.locator("a[href*='#fig-'][href*='?']:not(.explorable-actions a)")
    assert links.count() or name.endswith("index")
    for link in links.all():
        href = link.get_attribute("href")
        link.evaluate("link => link.click()")
        page.wait_for_function("href => location.hash.startsWith(href.slice(0, href.indexOf('?')))", arg=href)
        figure = page.locator(f"[id='{href[1:].split('?')[0]}']")
        assert "lacks" not in figure.locator("[role=status]").text_content(), href
        for pair in href.split("?")[1].split("&"):
            assert pair in figure.locator(".explorable-actions a").get_attribute("href"), href


@pytest.mark.parametrize("name", WITH_CONTROLS)
def test_first_state_without_javascript(name, address, new_page):
    page = new_page(java_script_enabled=False)
    page.goto(f"{address}/{name}.html")
    for figure in page.locator("figure.explorable").all():
        assert figure.locator("svg path").count() > 3
        assert figure.locator("figcaption").inner_text().strip()


def test_no_solution_and_no_hidden_test_reaches_the_site(site):
    """Not as text of a page, and not in a file: downloads, sources, the index of the search."""
    elsewhere = "\n".join(cell for page in chapters.NOTEBOOKS for cell in chapters.code_cells(page))
    lines = {line for name in problem_sets.SETS for line in problem_sets.teachers_lines(name)
             if len(line) > 20 and line not in elsewhere}
    assert len(lines) > 500
    for path in site.rglob("*"):
        if path.relative_to(site).parts[0] != "_static" and path.suffix in (".html", ".ipynb", ".md", ".txt", ".py", ".js", ".json") and path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            shown = html.unescape(re.sub(r"<[^>]*>", "", text)) if path.suffix == ".html" else text.replace('\\"', '"')
            assert not [line for line in lines if line in shown], path


@pytest.mark.parametrize("name", problem_sets.SETS)
def test_the_release_of_a_problem_set_can_be_downloaded(name, site, address, page):
    page.goto(f"{address}/book/problem_sets.html")
    with page.expect_download() as download:
        page.get_by_role("link", name=f"{name}.ipynb").click()
    assert download.value.path().read_bytes() == (problem_sets.COURSE / "release" / name / f"{name}.ipynb").read_bytes()


def test_the_page_for_teachers_shows_what_the_commands_said(address, page):
    page.goto(f"{address}/book/teach.html")
    shown = page.inner_text("article")
    for words in ("ps1: 3 handed in, 3 to grade", "ps1: 3 handed in, 0 to grade", "0 of 1  dL/dw1: expected", "the code ended Python",
                  "GRADING_SEED=4711", "ps1,101,20.0,0.0,20.0,20.0", "ps1,102,15.0,0.0,15.0,20.0", "ps1,103,13.0,0.0,13.0,20.0"):
        assert words in shown, words
    assert "/tmp/" not in shown


def test_front_door_leads_to_the_book(site, new_page):
    page = new_page()
    page.goto((site / "index.html").as_uri())
    page.wait_for_url("**/book/index.html")
    assert page.locator("article h1").inner_text().startswith("Gradients Through Time")
    assert page.locator("input[type=search]:visible, .search-button-field:visible").count() == 1
