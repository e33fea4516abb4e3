"""Under the reader's hand, in a real browser: what is pinned, what plays, what is dragged, and what a phone shows."""

import re

import ipywidgets as w
import matplotlib.pyplot as plt
import numpy as np
import pytest

import pages
from explorable import Handle
from samples import every_artist, one_curve
from test_explorable_browser import d, html, opened, recorded, simple, status

PIN, PLAY = "#fig-a .explorable-pin", "#fig-a .explorable-play"
DARK = "<style>:root{--pst-color-background:#121212;--pst-color-text-base:#eeeeee}body{background:#121212;color:#eee}</style>"


def draggable():
    """A point on linear axes under two sliders, one on logarithmic axes under two more, one that moves in y alone."""
    fig, (left, right) = plt.subplots(1, 2, figsize=(6, 3))
    left.set(xlim=(0, 5), ylim=(5, 0))
    right.set(xscale="log", yscale="log", xlim=(1e-3, 1e3), ylim=(1e-2, 1e2))
    left.plot([0, 5], [0, 5], lw=20)
    line, = left.plot([0, 1], [0, 1], color="k")
    point, = left.plot([0], [0], "o")
    far, = right.plot([1], [1], "s")
    level, = right.plot([1], [1], "o")

    def update(a, b, scale, size):
        line.set_data([0, a], [0, b])
        point.set_data([a], [b])
        far.set_data([scale], [size])
        level.set_data([500], [scale])
        return line, point, far, level

    controls = dict(
        a=w.FloatSlider(min=0, max=5, step=0.5, value=1), b=w.IntSlider(min=0, max=5, value=1),
        scale=w.FloatLogSlider(min=-2, max=2, step=0.5, value=1), size=w.SelectionSlider(options=[0.1, 1, 10], value=1))
    handles = [Handle(point, x="a", y="b"), Handle(far, x="scale", y="size"), Handle(level, y="scale")]
    return fig, update, controls, handles


@pytest.fixture(scope="module")
def dragged():
    fig, update, controls, handles = draggable()
    return recorded(fig, update, controls | {"handles": handles})


@pytest.fixture(scope="module")
def folder(tmp_path_factory, dragged):
    folder = tmp_path_factory.mktemp("hand")
    (folder / "favicon.ico").write_bytes(b"")
    space = '<div style="height: 1500px"></div>'
    bodies = {"one": [simple()], "two": [simple("fig-a"), simple("fig-b")], "all": [recorded(*every_artist())._html],
              "far": [simple(), space], "hand": [dragged._html, space]}
    for name, body in bodies.items():
        (folder / f"{name}.html").write_text(html(*body), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def site(folder, serve):
    return serve(folder)


# Pin -----------------------------------------------------------------------------

GHOSTS = """(figure) => [...figure.querySelectorAll(".explorable-ghost")].map((ghost) => [
  ghost.dataset.artist, [...ghost.children].map((e) => e.tagName === "path" ? e.getAttribute("d") : e.tagName)])"""
CURVES = """(figure) => [...figure.querySelectorAll(".explorable-slot")].map((slot) => [
  slot.dataset.artist, [...slot.querySelectorAll(".explorable-curve")].filter((e) => e.style.display !== "none")
    .map((e) => e.tagName === "path" ? e.getAttribute("d") : e.tagName)]).filter(([, curves]) => curves.length)"""


def test_pin_keeps_the_curves_and_lets_them_go(page, site):
    opened(page, f"{site}/one.html")
    pages.set_control(page, "fig-a", "n", 2)
    pinned = d(page)
    page.locator(PIN).click()
    pages.set_control(page, "fig-a", "n", 4)
    figure = page.locator("#fig-a")
    assert figure.evaluate(GHOSTS) == [["0", [pinned]]] and d(page) != pinned
    assert page.get_by_role("button", name="Pin", pressed=True).count() == 1
    assert page.locator(".explorable-pinned").inner_text() == "pinned: n = 2"
    assert page.locator(".explorable-pinned").get_attribute("aria-live") == "polite"
    page.locator(PIN).focus()
    page.keyboard.press("Enter")
    assert figure.evaluate(GHOSTS) == [] and page.locator(".explorable-pinned").text_content() == ""
    assert page.get_by_role("button", name="Pin", pressed=False).count() == 1
    assert pages.console_errors(page.messages) == []


def test_everything_that_moves_but_texts_and_images_is_pinned(page, site):
    opened(page, f"{site}/all.html")
    pages.set_control(page, "fig-a", "n", 3)
    pages.set_control(page, "fig-a", "kind", "relu")
    figure = page.locator("#fig-a")
    wanted = sorted(figure.evaluate(CURVES))
    assert {artist for artist, _ in wanted} == {"0", "1", "2", "3", "4", "5", "7", "8", "9", "10", "11"}  # 6 is the image, 12 and on are texts
    page.locator(PIN).click()
    pages.set_control(page, "fig-a", "n", 1)
    pages.set_control(page, "fig-a", "on", False)
    assert sorted(figure.evaluate(GHOSTS)) == wanted != sorted(figure.evaluate(CURVES))
    assert page.locator(".explorable-pinned").inner_text() == \
        'pinned: n = 3, gain = -1.00, scale = 1, size = small <1>, relu, a cell, dots: on'


def test_ghosts_lie_behind_and_look_unlike_what_is_alive(page, site):
    opened(page, f"{site}/all.html")
    page.locator(PIN).click()
    seen = page.evaluate("""() => [...document.querySelectorAll(".explorable-ghost")].map((ghost) => {
      const look = (e) => getComputedStyle(e);
      const [path] = ghost.children, alive = document.querySelector(`.explorable-slot[data-artist="${ghost.dataset.artist}"] > .explorable-curve`);
      const ofItsAxes = [...ghost.parentNode.children].filter((e) => e.matches(".explorable-slot:has(.explorable-curve)"));
      return { artist: ghost.dataset.artist, fill: look(path).fill, stroke: look(path).stroke, opacity: Number(look(path).opacity),
        width: parseFloat(look(path).strokeWidth), dashes: look(path).strokeDasharray, line: look(alive).fill === "none",
        behind: ofItsAxes.every((slot) => ghost.compareDocumentPosition(slot) & Node.DOCUMENT_POSITION_FOLLOWING),
        above: Boolean(ghost.parentNode.querySelector("path").compareDocumentPosition(ghost) & Node.DOCUMENT_POSITION_FOLLOWING) };
    })""")
    assert len(seen) >= 9
    for ghost in seen:
        assert ghost["fill"] == "none" and ghost["stroke"] != "none" and 0.3 < ghost["opacity"] < 0.8, ghost
        assert ghost["width"] < 1.5 and ghost["behind"] and ghost["above"], ghost
        assert ghost["dashes"] != "none" or not ghost["line"], ghost


def test_a_pinned_black_curve_follows_the_page_into_the_dark(page, tmp_path, dragged):
    (tmp_path / "p.html").write_text(html(dragged._html, head=DARK, theme="dark"))
    opened(page, (tmp_path / "p.html").as_uri())
    page.locator(PIN).click()
    assert page.locator(".explorable-ghost[data-artist='0'] > path").evaluate("e => getComputedStyle(e).stroke") == "rgb(238, 238, 238)"


def test_stamps_painted_one_by_one_are_pinned(page, tmp_path):
    fig, ax = plt.subplots()
    line, = ax.plot([0, 0.1, 0.2], [0, 1, 2], "o", mec="w", ms=12)
    (tmp_path / "p.html").write_text(html(recorded(fig, lambda n: line.set_ydata([n, 1, 2]) or line, {"n": w.IntSlider(max=2)})._html))
    opened(page, (tmp_path / "p.html").as_uri())
    stamps = ".explorable-curve > path"
    before = page.locator(stamps).evaluate_all("all => all.map((e) => e.getAttribute('d'))")
    page.locator(PIN).click()
    pages.set_control(page, "fig-a", "n", 1)
    assert page.locator(f".explorable-ghost {stamps}").evaluate_all("all => all.map((e) => e.getAttribute('d'))") == before
    assert page.locator(f".explorable-slot {stamps}").evaluate_all("all => all.map((e) => e.getAttribute('d'))") != before
    ghost = page.locator(f".explorable-ghost {stamps}").first.evaluate("e => { const s = getComputedStyle(e); return [s.fill, s.stroke] }")
    assert ghost[0] == "none" and ghost[1] != "none"


def test_a_pin_is_not_in_the_link_and_ends_with_the_page(page, site):
    opened(page, f"{site}/one.html")
    page.locator(PIN).click()
    pages.set_control(page, "fig-a", "n", 4)
    page.wait_for_function("location.hash === '#fig-a?n=4'")
    assert page.locator(".explorable-actions a").get_attribute("href") == "#fig-a?n=4"
    page.get_by_role("button", name="Reset").click()
    assert page.locator(".explorable-ghost").count() == 1, "a pin outlives a reset, with which it is compared"
    page.reload()
    pages.ready(page, "fig-a")
    assert page.locator(".explorable-ghost").count() == 0


def test_two_figures_are_pinned_apart(page, site):
    opened(page, f"{site}/two.html")
    page.locator(PIN).click()
    assert page.locator("#fig-b .explorable-ghost").count() == 0
    page.locator("#fig-b .explorable-pin").click()
    page.locator(PIN).click()
    assert page.locator("#fig-b .explorable-ghost").count() == 1 and page.locator("#fig-a .explorable-ghost").count() == 0


def test_there_is_nothing_to_pin_where_only_texts_and_images_move():
    fig, ax = plt.subplots()
    image, text = ax.imshow(np.eye(2)), ax.set_title("$x$")

    def update(n):
        image.set_data(n * np.eye(2))
        text.set_text(f"$x_{n}$")
        return image, text

    assert "explorable-pin" not in recorded(fig, update, {"n": w.IntSlider(max=3)})._html
    assert "explorable-pin" in simple()


# Play ----------------------------------------------------------------------------

def watched(page):
    """Keep every value that the slider shows, and all that is announced."""
    page.evaluate("""() => {
      window.values = [];
      window.said = [];
      const output = document.querySelector("#fig-a output");
      new MutationObserver(() => values.push(output.textContent)).observe(output, { childList: true, characterData: true });
      for (const live of document.querySelectorAll("[role=status], [aria-live]:not([aria-live=off])"))
        new MutationObserver(() => said.push(live.textContent)).observe(live, { childList: true, characterData: true });
    }""")


def playing(page, id="fig-a"):
    return page.locator(f"#{id} .explorable-play").get_attribute("aria-pressed") == "true"


def test_play_runs_a_slider_there_and_back_and_says_nothing(page, site):
    page.clock.install()
    opened(page, f"{site}/one.html")
    watched(page)
    before = d(page)
    page.get_by_role("button", name="Play n", pressed=False).click()
    assert playing(page)
    page.clock.run_for(1600)
    assert playing(page) and d(page) != before
    assert page.evaluate("said") == [] and page.evaluate("location.hash") == ""
    page.clock.run_for(5000)
    assert page.evaluate("values") == list("23432101") and d(page) == before and not playing(page)
    assert page.evaluate("location.hash") == "#fig-a?n=1"
    assert pages.console_errors(page.messages) == []


@pytest.mark.parametrize("stop", ["key", "Escape", "mouse", "button", "Space", "focus", "slider", "motion", "screen"])
def test_play_stops_at_a_touch(page, site, stop):
    opened(page, f"{site}/far.html")
    page.locator(PLAY).click()
    page.wait_for_function("document.querySelector('#fig-a output').textContent !== '1'")
    assert playing(page)
    {"key": lambda: page.keyboard.press("a"), "Escape": lambda: page.keyboard.press("Escape"),
     "mouse": lambda: page.mouse.click(5, 5), "button": page.locator(PLAY).click, "Space": lambda: page.keyboard.press("Space"),
     "focus": page.locator("#fig-a input").focus, "slider": lambda: pages.set_control(page, "fig-a", "n", 3),
     "motion": lambda: page.emulate_media(reduced_motion="reduce"), "screen": lambda: page.evaluate("scrollTo(0, 1200)")}[stop]()
    page.wait_for_function("document.querySelector('.explorable-play').ariaPressed === 'false'", timeout=2000)
    shown = d(page)
    page.wait_for_timeout(700)
    assert d(page) == shown and not playing(page)


def test_play_stops_where_the_address_asks_for_another_setting(page, site):
    opened(page, f"{site}/one.html")
    page.locator(PLAY).click()
    page.wait_for_function("document.querySelector('#fig-a output').textContent !== '1'")
    page.evaluate("location.hash = '#fig-a?n=0'")
    page.wait_for_function("document.querySelector('.explorable-play').ariaPressed === 'false'", timeout=2000)
    page.wait_for_timeout(700)
    assert setting(page) == {"n": "0"} and page.evaluate("location.hash") == "#fig-a?n=0"


def test_play_stops_at_a_finger(new_page, site):
    page = opened(new_page(viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True), f"{site}/one.html")
    page.locator(PLAY).tap()
    assert playing(page)
    page.touchscreen.tap(5, 5)
    assert not playing(page)


def test_one_slider_plays_at_a_time(page, site):
    opened(page, f"{site}/two.html")
    page.locator(PLAY).click()
    page.locator("#fig-b .explorable-play").evaluate("button => button.click()")  # without a touch, which stops the other
    assert not playing(page) and playing(page, "fig-b")


def test_play_is_absent_where_less_motion_is_wanted(new_page, site):
    page = opened(new_page(reduced_motion="reduce"), f"{site}/one.html")
    assert not page.locator(PLAY).is_visible() and page.locator(PIN).is_visible()
    page.locator(PLAY).evaluate("button => button.click()")
    assert not playing(page)
    assert opened(new_page(reduced_motion="no-preference"), f"{site}/one.html").locator(PLAY).is_visible()


# Handles -------------------------------------------------------------------------

AT = """([figure, artist, x, y]) => {  // where a point of the figure, in its own units, is on the screen
  const at = new DOMPoint(x, y).matrixTransform(document.querySelector(`#${figure} > svg`).getScreenCTM());
  return [at.x, at.y];
}"""


def on_screen(page, explorable, axes, x, y):
    fig = explorable.fig
    dpi, fig.dpi = fig.dpi, 72
    px, py = fig.axes[axes].transData.transform((x, y))
    fig.dpi = dpi
    return page.evaluate(AT, ["fig-a", 0, float(px), float(fig.get_size_inches()[1] * 72 - py)])


def centre(page, artist):
    box = page.locator(f"#fig-a .explorable-handle[data-artist='{artist}'] .explorable-target").evaluate(
        "e => { const m = e.getScreenCTM(); return [m.e, m.f]; }")
    return box


def setting(page):
    return page.evaluate("() => Object.fromEntries([...document.querySelectorAll('#fig-a output')].map((o) => [o.htmlFor.value.slice(6), o.textContent]))")


def drag(page, start, end, finger):
    """Press at `start`, move to `end` on two ways, let go."""
    way = [((1 - k) * start[0] + k * end[0], (1 - k) * start[1] + k * end[1]) for k in (0.3, 0.7, 1)]
    if not finger:
        page.mouse.move(*start)
        page.mouse.down()
        for place in way:
            page.mouse.move(*place)
        page.mouse.up()
        return
    session = page.context.new_cdp_session(page)
    for kind, places in [("touchStart", [start]), *(("touchMove", [place]) for place in way), ("touchEnd", [])]:
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in places]})


@pytest.mark.parametrize("finger", [False, True])
@pytest.mark.parametrize("artist, axes, to, wanted", [
    (1, 0, (2.3, 3.6), dict(a="2.50", b="4", scale="1", size="1")),
    (1, 0, (-3, 9), dict(a="0.00", b="5", scale="1", size="1")),  # beyond the axes: to the last value
    (2, 1, (0.05, 4), dict(a="1.00", b="1", scale="0.0316", size="10")),  # nearest on a logarithmic axis
    (3, 1, (1, 20), dict(a="1.00", b="1", scale="31.6", size="1")),  # sideways is nothing to it
])
def test_a_dragged_point_moves_its_sliders_to_their_nearest_values(new_page, site, dragged, finger, artist, axes, to, wanted):
    page = opened(new_page(has_touch=finger, is_mobile=finger, viewport={"width": 700, "height": 800}), f"{site}/hand.html")
    start, end = centre(page, artist), on_screen(page, dragged, axes, *to)
    drag(page, (start[0] + 8, start[1] - 6), (end[0] + 8, end[1] - 6), finger)  # taken beside its middle
    assert setting(page) == wanted
    assert page.evaluate("scrollY") == 0
    page.wait_for_function("location.hash.includes('size=')")
    assert pages.console_errors(page.messages) == []


def test_a_handle_follows_the_sliders(page, site, dragged):
    opened(page, f"{site}/hand.html")
    for a, b, exponent in ((0, 0, -2), (5, 5, 2), (2.5, 3, 0.5)):
        pages.set_control(page, "fig-a", "a", a)
        pages.set_control(page, "fig-a", "b", b)
        pages.set_control(page, "fig-a", "scale", exponent)
        np.testing.assert_allclose(centre(page, 1), on_screen(page, dragged, 0, a, b), atol=0.3)
        np.testing.assert_allclose(centre(page, 2), on_screen(page, dragged, 1, 10**exponent, 1), atol=0.3)


@pytest.mark.parametrize("width", [360, 1000])
def test_a_handle_is_as_large_as_a_finger(new_page, site, width):
    page = opened(new_page(viewport={"width": width, "height": 800}), f"{site}/hand.html")
    hit = """([x, y]) => document.elementFromPoint(x, y).closest(".explorable-handle")?.dataset.artist"""
    pages.set_control(page, "fig-a", "a", 2.5)
    pages.set_control(page, "fig-a", "b", 3)
    x, y = centre(page, 1)
    for reach, expected in ((21.5, "1"), (23.5, None)):
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            assert page.evaluate(hit, [x + reach * dx, y + reach * dy]) == expected
    assert page.locator(".explorable-target").first.evaluate("e => getComputedStyle(e).touchAction") == "none"
    assert page.locator("svg").evaluate("e => getComputedStyle(e).touchAction") == "auto"  # the rest of it scrolls


def test_handles_are_for_the_hand_alone(new_page, site):
    page = opened(new_page(), f"{site}/hand.html")
    assert page.locator(".explorable-handle").first.get_attribute("aria-hidden") == "true"
    quiet = new_page(java_script_enabled=False)
    quiet.goto(f"{site}/hand.html")
    assert quiet.locator(".explorable-handle").first.get_attribute("style") == "visibility:hidden"
    assert quiet.locator(".explorable-slot[data-artist='1'] > path").is_visible()


def test_another_button_and_a_passing_mouse_drag_nothing(page, site):
    opened(page, f"{site}/hand.html")
    before = setting(page)
    x, y = centre(page, 1)
    page.mouse.move(x, y)
    page.mouse.move(x + 80, y + 30)
    page.mouse.move(x, y)
    page.mouse.down(button="right")
    page.mouse.move(x + 80, y + 30)
    page.mouse.up(button="right")
    assert setting(page) == before


def test_a_handle_goes_where_its_point_is_not_drawn(page, tmp_path):
    fig, ax = plt.subplots()
    ax.set(xlim=(0, 4), ylim=(0, 1))
    point, = ax.plot([0], [0], "o")

    def update(n):
        point.set_data(([n], [0.5]) if n != 3 else ([], []))
        return point,

    explored = recorded(fig, update, {"n": w.IntSlider(max=4), "handles": [Handle(point, x="n")]})
    (tmp_path / "p.html").write_text(html(explored._html))
    opened(page, (tmp_path / "p.html").as_uri())
    for n, there in ((2, True), (3, False), (1, True)):
        pages.set_control(page, "fig-a", "n", n)
        assert page.locator(".explorable-handle").evaluate("e => getComputedStyle(e).visibility === 'visible'") == there
        x, y = centre(page, 0)
        assert page.evaluate("([x, y]) => Boolean(document.elementFromPoint(x, y).closest('.explorable-handle'))", [x, y]) == there
    pages.set_control(page, "fig-a", "n", 2)
    (x, y), (far, _) = on_screen(page, explored, 0, 2, 0.5), on_screen(page, explored, 0, 4, 0.5)
    page.mouse.move(x, y)
    page.mouse.down()
    for place in np.linspace(x, far, 9):
        page.mouse.move(place, y)
        page.wait_for_timeout(20)  # a frame in each
    page.mouse.up()
    assert setting(page) == {"n": "4"}, "the drag goes on where the point is away"


# On a phone and on a wide screen -------------------------------------------------

@pytest.fixture(scope="module")
def small_print():
    """Texts of 5 to 11 points of every kind, moving and still."""
    fig, (ax, other) = plt.subplots(2, 1, figsize=(6.4, 6), layout="constrained")
    ax.semilogy([1, 1000], [1, 1000], label="$x_1$ and more")
    ax.set_ylabel("turned", fontsize=8)
    ax.set_xlabel("lag $T - k$", fontsize=9)
    ax.legend(fontsize=7, title="legend", title_fontsize=6)
    ax.annotate("noted", (10, 10), (300, 3), fontsize=5, arrowprops={"arrowstyle": "->"}, bbox={"fc": "w"})
    ax.tick_params(labelsize=6)
    other.text(0.2, 0.4, "rotated", rotation=30, fontsize=6, ha="right", va="top")
    plain = other.text(0.5, 0.8, "", fontsize=6, ha="center")
    turned = other.text(0.8, 0.5, "", fontsize=7, rotation=45)
    formula = ax.set_title("", loc="left", fontsize=8)
    mixed = other.set_title("", fontsize=6)
    large = other.text(0, 0, "", fontsize=30)

    def update(n):
        for text in (plain, turned, large):
            text.set_text(f"value {n}\nof two lines")
        for text in (formula, mixed):
            text.set_text(rf"$\alpha_{n}$ is {n}")
        return plain, turned, formula, mixed, large

    return recorded(fig, update, {"n": w.IntSlider(max=2)})._html


def test_no_text_on_a_phone_is_smaller_than_nine_pixels(new_page, tmp_path, small_print):
    fig, ax = plt.subplots(figsize=(8, 3))
    ax.set_title("still", fontsize=8)
    (tmp_path / "p.html").write_text(html(small_print, recorded(fig, None, {}, "fig-b")._html), encoding="utf-8")
    page = opened(new_page(viewport={"width": 360, "height": 740}), (tmp_path / "p.html").as_uri())
    pages.set_control(page, "fig-a", "n", 1)
    fonts = page.evaluate(pages.FONTS)
    assert {kind for _, kind, _ in fonts} == {"outline", "text", "formula"} and len(fonts) > 30
    assert [font for font in fonts if font[2] < 9] == []
    assert min(size for *_, size in fonts) < 9.02 < 20 < max(size for *_, size in fonts)  # and none larger than it need be
    page.set_viewport_size({"width": 1600, "height": 900})
    assert page.evaluate("""() => [...document.querySelectorAll(".explorable-text, .explorable-formula")]
        .map((e) => getComputedStyle(e).transform).filter((t) => !/^(none|matrix\\(1, 0, 0, 1, 0, 0\\))$/.test(t))""") == []
    sizes = sorted({round(size, 2) for _, kind, size in page.evaluate(pages.FONTS) if kind == "text"})
    assert sizes == pytest.approx([110 / 72 * points for points in (6, 7, 30)], rel=1e-3)


def test_text_that_grows_stays_where_it_is_aligned(new_page, tmp_path, small_print):
    """Its box, with the growth and without."""
    (tmp_path / "p.html").write_text(html(small_print), encoding="utf-8")
    page = opened(new_page(viewport={"width": 360, "height": 740}), (tmp_path / "p.html").as_uri())
    boxes = """() => [...document.querySelectorAll("g[transform*='scale('], .explorable-formula, text")].map((e) => {
      const { left, right, top, bottom } = e.getBoundingClientRect();
      return [left, right, (left + right) / 2, top, bottom, (top + bottom) / 2];
    })"""
    grown = np.array(page.evaluate(boxes))
    page.add_style_tag(content="figure.explorable > svg { --explorable-least: 0 !important }")
    plain = np.array(page.evaluate(boxes))
    larger = (grown[:, 1] - grown[:, 0]) / (plain[:, 1] - plain[:, 0])
    assert (larger[larger > 1.02] > 1.1).all() and (larger > 1.1).sum() > 15
    moved = np.abs(grown - plain)
    assert (moved[:, :3].min(axis=1) < 2.5).all(), "left, right or middle stays, or a corner of what is turned"
    assert (moved[:, 3:].min(axis=1) < 2.5).all(), "top, bottom, middle or base line stays"


def sized(height):
    fig, ax = plt.subplots(figsize=(5.2, height))
    line, = ax.plot([0, 1])

    def update(n, kind, on):
        line.set_ydata([0, n])
        return line,

    controls = dict(n=w.IntSlider(max=4), kind=w.ToggleButtons(options=["one", "two", "three"]), on=w.Checkbox())
    return recorded(fig, update, controls)._html


@pytest.mark.parametrize("height, width, beside", [(5.4, 1000, True), (5.4, 700, True), (5.4, 640, False), (5.4, 360, False), (3.4, 1000, False)])
def test_the_controls_of_a_tall_figure_stand_beside_it_where_there_is_room(new_page, tmp_path, height, width, beside):
    (tmp_path / "p.html").write_text(html(sized(height)), encoding="utf-8")
    page = opened(new_page(viewport={"width": width, "height": 700}), (tmp_path / "p.html").as_uri())
    svg, form, caption = (page.locator(f"#fig-a > {name}").bounding_box() for name in ("svg", "form", "figcaption"))
    if beside:
        assert form["x"] >= svg["x"] + svg["width"] and svg["y"] <= form["y"] and form["y"] + form["height"] <= svg["y"] + svg["height"]
        assert svg["width"] > 350
    else:
        assert form["y"] >= svg["y"] + svg["height"]
    assert caption["y"] >= max(svg["y"] + svg["height"], form["y"] + form["height"]) - 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_what_is_pinned_played_and_dragged(page, tmp_path, dragged, theme):
    from axe_playwright_python.sync_playwright import Axe

    link = "<style>a{color:#6cf}</style>" if theme == "dark" else ""
    (tmp_path / "p.html").write_text(html(dragged._html, sized(5.4).replace("fig-a", "fig-b"), head=DARK + link if theme == "dark" else "", theme=theme))
    opened(page, (tmp_path / "p.html").as_uri())
    page.locator(PIN).click()
    page.locator(PLAY).first.click()
    found = [(v["id"], [n["html"] for n in v["nodes"]]) for v in Axe().run(page).response["violations"] if v["impact"] in ("serious", "critical")]
    assert found == []


def test_the_focus_is_seen(page, site):
    opened(page, f"{site}/hand.html")
    for button in (PIN, PLAY):
        page.locator("#fig-a input").first.focus()
        for _ in range(20):
            page.keyboard.press("Tab")
            if page.evaluate("button => document.activeElement.matches(button)", button):
                break
        style = page.evaluate("() => { const s = getComputedStyle(document.activeElement); return [s.outlineStyle, parseFloat(s.outlineWidth)]; }")
        assert style[0] != "none" and style[1] >= 1


def test_the_script_stays_small():
    import gzip

    from test_explorable_browser import STATIC

    with open(STATIC + "explorable.js", "rb") as script:
        assert len(gzip.compress(script.read(), 9)) <= 5000
