"""The built book in a real browser: alive, equal to NumPy, at home on a phone and in the dark, and alone.

Each page is opened once (`desk`) for most of its questions; they are asked in the order of this file.
"""

from __future__ import annotations

import html
import re

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from axe_playwright_python.sync_playwright import Axe

import chapters
import harvest
import pages
import problem_sets

QUANTUM = 0.06  # SVG units: half a tenth, and rounding
NAMES = chapters.names()
PHONE, DESK = {"width": 360, "height": 740}, {"width": 1000, "height": 900}
DARK = "localStorage.setItem('mode', 'dark'); localStorage.setItem('theme', 'dark')"

every_page = pytest.mark.parametrize("name", NAMES, scope="module")


def open_page(page, url):
    page.goto(url, wait_until="load")
    for figure in page.locator("figure.explorable:has(form)").all():
        pages.ready(page, figure.get_attribute("id"))
    page.wait_for_load_state("networkidle")
    return page


@pytest.fixture(scope="module")
def desk(name, address, browser):
    """The page `name`, opened once for all its tests."""
    context = browser.new_context(viewport=DESK)
    page = context.new_page()
    pages.watch(page)
    yield open_page(page, f"{address}/{name}.html")
    context.close()


def has_controls(name):
    """Whether a page has figures with controls; those of chapter 12 would need PyTorch to be recorded."""
    return name.endswith(("index", "your_figures", "prerequisites", "pretraining")) or bool(re.search(r"/\d\d_", name)) and not name.endswith("12_pytorch")


def source(name):
    notebook = chapters.ROOT / f"{name}.ipynb"
    return notebook if notebook.exists() else notebook.with_suffix(".md")


@every_page
def test_a_phone_shows_all_and_its_figures_can_be_read(desk):
    desk.set_viewport_size(PHONE)
    try:
        too_wide = desk.evaluate(WIDER_THAN_A_PHONE)
        assert too_wide == []
        assert desk.evaluate("document.documentElement.scrollWidth") <= 360
        assert [font for font in desk.evaluate(pages.FONTS) if font[2] < 9] == [], "text in a figure that is too small to read"
    finally:
        desk.set_viewport_size(DESK)


WIDER_THAN_A_PHONE = """() => [...document.querySelectorAll("body *")].filter((element) => {
    const box = element.getBoundingClientRect();
    if (box.right <= 361 || !box.width || !box.height || !element.checkVisibility()) return false;
    for (let up = element; up !== document.body; up = up.parentElement)
        if (/(auto|scroll)/.test(getComputedStyle(up).overflowX) && up.getBoundingClientRect().right <= 361
            && up.clientWidth < innerWidth) return false;
    return !element.closest(".bd-sidebar-primary, .bd-sidebar-secondary, dialog, mjx-assistive-mml, .explorable-hidden, .visually-hidden");
}).map((element) => element.outerHTML.slice(0, 120))"""


@every_page
def test_every_formula_is_typeset(desk):
    """MathJax marks what it can't parse, and leaves alone what has unbalanced braces."""
    desk.evaluate("window.MathJax?.startup.promise")
    left = desk.evaluate("""() => [...document.querySelectorAll(".math, mjx-merror, [data-mjx-error]")]
        .filter((element) => element.matches("mjx-merror, [data-mjx-error]") || !element.querySelector("mjx-container"))
        .map((element) => element.outerHTML.slice(0, 200))""")
    assert left == []


def printed(output) -> str:
    """What a stored output shows as text: "" for a figure and for HTML."""
    data = output.get("data", {})
    text = output.get("text", "") if not data else "" if {"text/html", "image/png"} & set(data) else data.get("text/plain", "")
    return text.rstrip()


@pytest.mark.parametrize("name", [name for name in NAMES if source(name).suffix == ".ipynb" and "assignments" not in name])
def test_a_page_prints_what_its_notebook_stores(name, site):
    """To the letter: a kernel sends what is printed in pieces, which must not become lines."""
    page = BeautifulSoup((site / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
    shown = [[pre.get_text().rstrip() for pre in cell.select(".output.stream pre, .output.text_plain pre")] for cell in page.select("div.cell")]
    cells = [cell for cell in nbformat.read(source(name), as_version=4).cells if cell.cell_type == "code"]
    assert shown == [list(filter(None, map(printed, cell.outputs))) for cell in cells] and any(shown)


@every_page
def test_links_to_settings_work(name, desk):
    """A link in the text to a setting of a figure names controls and values that exist."""
    links = desk.locator("a[href*='#fig-'][href*='?']:not(.explorable-actions a)")
    assert links.count() or not has_controls(name) or name.endswith("index")
    for link in links.all():
        href = link.get_attribute("href")
        link.evaluate("link => link.click()")
        desk.wait_for_function("href => location.hash.startsWith(href.slice(0, href.indexOf('?')))", arg=href)
        figure = desk.locator(f"[id='{href[1:].split('?')[0]}']")
        assert "lacks" not in figure.locator("[role=status]").text_content(), href
        for pair in href.split("?")[1].split("&"):
            assert pair in figure.locator(".explorable-actions a").get_attribute("href"), href


def check_line(seen, d):
    """The points inside the axes are the path's points, and the path has no others there."""
    wanted, (x0, y0, x1, y1) = seen["points"], seen["box"]
    inside = (wanted >= (x0 - 1e-6, y0 - 1e-6)).all(axis=1) & (wanted <= (x1 + 1e-6, y1 + 1e-6)).all(axis=1)
    pieces = [pages.parse_markers(d)] if seen["markers"] else pages.parse_path(d)
    found = np.concatenate(pieces) if pieces else np.empty((0, 2))
    for point in wanted[inside]:
        assert np.abs(found - point).max(axis=1).min() <= QUANTUM, f"{point} is missing"
    for x, y in found:
        if x0 + 1 < x < x1 - 1 and y0 + 1 < y < y1 - 1:
            assert np.abs(wanted - (x, y)).max(axis=1).min() <= QUANTUM, f"({x}, {y}) is no point of the data"


def check_state(shown, artists):
    """What the page shows of a figure (`pages.show`) equals what its `update` computed."""
    compared = 0
    for number, seen in enumerate(artists):
        if seen is None:
            continue
        if "text" in seen:
            assert shown[number]["text"] == seen["text"]
            compared += 1
        elif number in shown and shown[number]["d"] is not None:
            check_line(seen, shown[number]["d"])
            compared += 1
    assert compared


@every_page
def test_explorables_show_what_numpy_computes(name, desk):
    shown = [figure.get_attribute("id") for figure in desk.locator("figure.explorable:has(form)").all()]
    assert len(set(shown)) == len(shown), "two figures with the same id"
    assert bool(shown) == has_controls(name)
    wanted = {figure["id"]: figure for figure in harvest.truth_about(source(name))} if shown else {}
    assert sorted(wanted) == sorted(shown)
    for figure in map(wanted.get, shown):
        values = {control: pages.control_values(desk, figure["id"], control) for control in figure["controls"]}
        for state, artists in figure["states"]:
            shown_now = pages.show(desk, figure["id"], {control: values[control][index] for control, index in state.items()})
            check_state(shown_now, artists)
        for moved in figure["controls"]:  # each from the first state, where every control should matter
            pages.show(desk, figure["id"], {control: values[control][index] for control, index in figure["controls"].items()})
            pages.assert_moves(desk, figure["id"], moved)


@every_page
def test_quiet_and_alone(desk):
    """After all that has been done with it above."""
    assert pages.foreign_requests(desk.requests) == []
    assert pages.console_errors(desk.messages) == []


# What axe need not look at: the glyphs that MathJax draws, hidden from assistive technology and in the colour of the text
# around them, and all but the first token of each kind in code, whose colour is that of its kind. They are most of a page.
SAME_COLOUR = """() => [...document.querySelectorAll("mjx-math, mjx-math *")].filter((glyph) =>
    !glyph.closest("mjx-math").matches("[aria-hidden=true]")
    || getComputedStyle(glyph).color !== getComputedStyle(glyph.closest("mjx-container").parentElement).color).length"""
THIN_OUT = """() => {
    document.querySelectorAll("mjx-math").forEach((glyphs) => glyphs.replaceChildren());
    const kinds = new Set();
    document.querySelectorAll(".highlight pre span[class]").forEach((token) => {
        if (kinds.has(token.className)) token.replaceWith(...token.childNodes);
        kinds.add(token.className);
    });
}"""


def grave(page, **options):
    """What axe finds that is serious or critical."""
    found = Axe().run(page, options={"resultTypes": ["violations"], **options}).response["violations"]
    return [f"{violation['id']}: {node['html'][:150]}" for violation in found
            if violation["impact"] in ("serious", "critical") for node in violation["nodes"]]


@every_page
def test_accessible(desk):
    """In light and dark: the theme changes colours and nothing else, so that contrast is what is asked again. Changes the page."""
    root = desk.locator("html")
    assert root.get_attribute("data-theme") == "light"
    assert desk.evaluate(SAME_COLOUR) == 0
    desk.evaluate(THIN_OUT)
    desk.evaluate("document.getElementById('pst-back-to-top').style.display = 'block'")  # as after scrolling
    assert grave(desk) == []
    root.evaluate("root => root.dataset.theme = 'dark'")
    desk.evaluate("document.getAnimations().forEach((animation) => animation.cancel())")  # shows its end; one that stands still has none to wait for
    assert desk.evaluate(SAME_COLOUR) == 0
    assert grave(desk, runOnly=["color-contrast"]) == []


@every_page
def test_quiet_and_alone_as_a_file(name, site, new_page):
    page = open_page(new_page(), (site / f"{name}.html").as_uri())
    assert pages.foreign_requests(page.requests) == []
    assert pages.console_errors(page.messages) == []


@every_page
def test_first_state_without_javascript(name, address, new_page):
    page = new_page(java_script_enabled=False)
    page.goto(f"{address}/{name}.html")
    assert page.locator("figure.explorable:has(form)").count() > 0 or not has_controls(name)
    for figure in page.locator("figure.explorable").all():
        assert figure.locator("svg path").count() > 3
        assert figure.locator("figcaption").inner_text().strip()


def test_a_reader_s_dark_mode_is_kept(address, new_page):
    page = new_page()
    page.add_init_script(DARK)
    open_page(page, f"{address}/book/01_backpropagation.html")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_a_wrong_curve_is_caught(address, new_page):
    """The comparison above can fail: bend one curve of the page by three units."""
    name = "book/02_vanishing_in_depth"
    page = open_page(new_page(), f"{address}/{name}.html")
    figure, = (figure for figure in harvest.truth_about(source(name)) if figure["id"] == "fig-activation")
    _, artists = figure["states"][0]
    check_state(pages.show(page, "fig-activation", {}), artists)
    page.evaluate("""() => {
        const path = document.querySelector("#fig-activation .explorable-slot[data-artist='0'] path");
        path.setAttribute("d", path.getAttribute("d").replace(/L(\\S+) (\\S+)/, (_, x, y) => `L${x} ${Number(y) + 3}`));
    }""")
    with pytest.raises(AssertionError):
        check_state(pages.show(page, "fig-activation", {}), artists)


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
    for words in ("files: 4; students with a notebook now in submitted: 3; to look at, marked with !: 0", "ps1: 3 handed in, 3 to grade", "ps1: 3 handed in, 0 to grade",
                  "0 of 1  dL/db1", "the code ended Python", "GRADING_SEED=4711", "ps1,Ann-Abt,20.0,0.0,20.0,20.0",
                  "ps1,Bob-Bell,17.0,0.0,17.0,20.0", "ps1,Cem-Can,13.0,0.0,13.0,20.0", "gradescope/ps1.zip"):
        assert words in shown, words
    assert "/tmp/" not in shown


def test_front_door_leads_to_the_book(site, new_page):
    page = new_page()
    page.goto((site / "index.html").as_uri())
    page.wait_for_url("**/book/index.html")
    assert page.locator("article h1").inner_text().startswith("Gradients Through Time")
    assert page.locator("input[type=search]:visible, .search-button-field:visible").count() == 1
