"""The recorded page in a real browser: pages made here, not the book's."""

import re
from urllib.parse import quote

import ipywidgets as w
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

import explorable
import pages
from explorable import explore
from explorable.figure import RECORD
from explorable.marks import MarkRenderer
from explorable.recorder import artists_of
from samples import every_artist, one_curve

STATIC = explorable.__path__[0] + "/static/"
SLIDER = "input[type=range]"


def html(*bodies, head="", theme="light"):
    """A page around explorables, with the script and the style in it."""
    style, script = (open(STATIC + name, encoding="utf-8").read() for name in ("explorable.css", "explorable.js"))
    return (f'<!doctype html><html lang="en" data-theme="{theme}"><head><meta charset="utf-8"><title>Test</title>'
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{style}</style>{head}</head>'
            f'<body><main><h1>Test</h1>{"".join(bodies)}</main><script>{script}</script></body></html>')


def recorded(fig, update, controls, id="fig-a", alt="What is plotted.", caption="A caption with $x^2$."):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(RECORD, "1")
        return explore(fig, update, id=id, alt=alt, caption=caption, **controls)


def simple(id="fig-a"):
    fig, _, update, controls = one_curve()
    return recorded(fig, update, controls, id)._html


@pytest.fixture(scope="module")
def everything():
    """The figure with every artist and every control, recorded."""
    return recorded(*every_artist())


@pytest.fixture(scope="module")
def folder(tmp_path_factory, everything):
    """all.html, and two.html with the same figure twice over under two names."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "favicon.ico").write_bytes(b"")
    (folder / "all.html").write_text(html(everything._html), encoding="utf-8")
    (folder / "one.html").write_text(html(simple()), encoding="utf-8")
    (folder / "two.html").write_text(html(simple("fig-a"), simple("fig-b")), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def site(folder, serve):
    return serve(folder)


def opened(page, url, id="fig-a"):
    page.goto(url)
    pages.ready(page, id)
    return page


def d(page, id="fig-a"):
    return page.locator(f"#{id} .explorable-slot > path").first.get_attribute("d")


def status(page, id="fig-a"):
    return page.locator(f"#{id} [role=status]")


def can_be_seen(element):
    """Not only by a screen reader: what is hidden for the eye is 1 by 1 pixel."""
    box = element.bounding_box()
    return element.is_visible() and box["width"] > 50 and box["height"] > 10


# The picture -------------------------------------------------------------------

def number(value):
    return f"{round(value * 10) / 10:g}"


def expected(mark):
    """The attributes that show a mark, from its definition in marks.py alone."""
    tenths = np.round(mark.points * 10) / 10
    kind, _, rest = mark.body.partition(":")
    if mark.tag == "text":
        x, y = map(number, tenths[0])
        style = re.sub("font-size:([0-9.]+px)", r"font-size:max(\1,var(--explorable-least,0)*1px)", mark.style)
        return dict(tag="text", style=style, x=x, y=y, text=rest, transform=f"rotate({kind} {x} {y})" if kind != "0" else None)
    if mark.tag == "image":
        width, height = kind.split(",")
        return dict(tag="image", style=mark.style, x=number(tenths[0, 0]), y=number(tenths[0, 1]), width=width, height=height,
                    href="data:image/png;base64," + rest)
    if mark.tag == "g":
        return dict(tag="g", style=mark.style, d=[f"M{number(x)} {number(y)}{rest}" for x, y in tenths])
    if kind == "stamp":
        return dict(tag="path", style=mark.style, d="".join(f"M{number(x)} {number(y)}{rest}" for x, y in tenths))
    points = iter(tenths)
    pieces = []
    for letter, times in re.findall(r"([MLQCZ])(\d+)", rest):
        for _ in range(int(times)):
            vertices = [next(points) for _ in range({"M": 1, "L": 1, "Q": 2, "C": 3, "Z": 0}[letter])]
            pieces.append(letter + " ".join(f"{number(x)} {number(y)}" for x, y in vertices))
    return dict(tag="path", style=mark.style, d="".join(pieces))


VISIBLE = """
(figure) => Object.fromEntries([...figure.querySelectorAll(".explorable-slot")].map((slot) =>
  [slot.dataset.artist, [...slot.children].filter((e) => e.getAttribute("style") !== "display:none").map((e) => {
    const get = (name) => e.getAttribute(name);
    const seen = { tag: e.tagName, style: get("style") };
    if (e.tagName === "path") return { ...seen, d: get("d") };
    if (e.tagName === "g") return { ...seen, d: [...e.children].map((path) => path.getAttribute("d")) };
    if (e.tagName === "text")
      return { ...seen, x: get("x"), y: get("y"), text: e.textContent, transform: get("transform") };
    return { ...seen, x: get("x"), y: get("y"), width: get("width"), height: get("height"), href: get("href") };
  })]))
"""


def test_every_state_is_what_python_draws(page, site, everything):
    opened(page, f"{site}/all.html")
    controls = everything.grid.controls
    values = {c.name: pages.control_values(page, "fig-a", c.name) for c in controls}
    assert {name: len(v) for name, v in values.items()} == {c.name: len(c.values) for c in controls}
    states = list(everything.grid.states())
    settings = [[[c.name, values[c.name][c.values.index(state[c.name])]] for c in controls] for state in states]
    order = np.random.default_rng(0).permutation(len(states))  # so that what a state leaves behind would show
    shown = page.evaluate(
        f"""([settings]) => {{
          const figure = document.getElementById("fig-a");
          const set = {pages.SET_CONTROL}, visible = {VISIBLE};
          return settings.map((pairs) => {{ pairs.forEach(([name, value]) => set(figure, name, value)); return visible(figure); }});
        }}""", [[settings[i] for i in order]])
    figure = everything.fig
    dpi, figure.dpi = figure.dpi, 72
    renderer = MarkRenderer(*figure.get_size_inches() * 72, clip_prefix="fig-a-clip")
    renderer.clips.update(clips_of(everything))
    try:
        for place, i in enumerate(order):
            artists = artists_of(everything.update(**states[i]))
            assert len(shown[place]) == len(artists)
            for slot, artist in enumerate(artists):
                assert shown[place][str(slot)] == [expected(mark) for mark in renderer.take(artist)], f"{artist} at {states[i]}"
    finally:
        figure.dpi = dpi
    kinds = {mark["tag"] for slots in shown for marks in slots.values() for mark in marks}
    assert kinds == {"g", "path", "text", "image"}
    assert pages.console_errors(page.messages) == []


def clips_of(explored):
    """SVG content of each clip path -> its id, as numbered when `explored` was recorded."""
    found = re.findall(r'<clipPath id="(fig-a-clip\d+)">(.*?)</clipPath>', explored._html)
    return {content.replace(" />", "/>"): name for name, content in found}


def test_the_first_state_is_the_same_before_and_after_the_script(new_page, site):
    quiet = new_page(java_script_enabled=False)
    quiet.goto(f"{site}/all.html")
    before = pages.picture(quiet, "fig-a")
    assert before == pages.picture(opened(new_page(), f"{site}/all.html"), "fig-a")


def test_it_looks_like_the_picture_that_matplotlib_paints(page, tmp_path):
    """Order of the layers, which way up an image is, where clipping ends: compared in pixels."""
    def make():
        fig, ax = plt.subplots(figsize=(4, 3))
        ax.set(xlim=(0, 10), ylim=(0, 10), xticks=[], yticks=[])
        image = ax.imshow([[0, 1], [2, 3]], extent=(1, 6, 1, 9), aspect="auto", cmap="viridis", zorder=0)
        area = ax.fill_between([0, 5, 10], [1, 2, 20], color="C3", alpha=0.6, zorder=1)
        line, = ax.plot([0, 10], [-5, 15], lw=8, color="C1", zorder=2)
        dots = ax.scatter([2, 10], [8, 5], s=[900, 900], c=["C0", "C2"], zorder=3)
        bars = ax.bar([8], [4], color="C4", zorder=2.5)

        def update(n):
            line.set_ydata([-5, 15] if n else [0, 0])
            image.set_data([[0, 1], [2, 3]] if n else [[0, 0], [0, 3]])
            dots.set_offsets([[2, 8], [10, 5]] if n else [[0, 0]])
            bars[0].set_height(4 * n)
            return image, area, line, dots, bars

        return fig, update, {"n": w.IntSlider(min=0, max=1, value=0)}

    (tmp_path / "p.html").write_text(html(recorded(*make())._html))
    opened(page, (tmp_path / "p.html").as_uri())
    pages.set_control(page, "fig-a", "n", 1)
    page.locator("svg").screenshot(path=tmp_path / "shown.png")
    fig, update, controls = make()
    controls["n"].value = 1
    (tmp_path / "painted.png").write_bytes(explore(fig, update, id="fig-a", alt="A.", caption="A.", **controls).png())
    coarse = [np.asarray(Image.open(tmp_path / name).convert("RGB").resize((100, 75), Image.Resampling.BOX), float)
              for name in ("shown.png", "painted.png")]
    differ = np.abs(coarse[0] - coarse[1]).max(axis=2) > 50
    assert differ.mean() < 0.005, f"{differ.mean():.1%} of the picture differs"


# Controls ------------------------------------------------------------------------

def test_input_updates_the_picture_in_the_same_call(page, site):
    opened(page, f"{site}/one.html")
    before, after = page.evaluate("""() => {
      const input = document.querySelector("#fig-a input"), path = document.querySelector(".explorable-slot > path");
      const before = path.getAttribute("d");
      input.value = 3;
      input.dispatchEvent(new Event("input", { bubbles: true }));
      return [before, path.getAttribute("d")];
    }""")
    assert before != after
    (_, middle, last), = pages.parse_path(after)
    assert last[1] - middle[1] == pytest.approx(2 * (pages.parse_path(before)[0][0][1] - middle[1]) / 3, abs=0.11)  # 1 and 3 of 4


@pytest.mark.parametrize("name, value, label", [
    ("n", 3, "3"), ("gain", 0, "0.00"), ("scale", -2, "0.01"), ("size", 1, '"large"')])
def test_sliders_say_their_value(page, site, name, value, label):
    opened(page, f"{site}/all.html")
    pages.set_control(page, "fig-a", name, value)
    field = page.locator(f"#fig-a [name={name}]")
    assert field.get_attribute("aria-valuetext") == label
    assert page.locator(f"#fig-a output[for='{field.get_attribute('id')}']").text_content() == label


@pytest.mark.parametrize("name", ["n", "gain", "scale", "size", "kind", "cell", "on"])
def test_every_type_of_control_moves_the_picture(page, site, name):
    opened(page, f"{site}/all.html")
    pages.assert_moves(page, "fig-a", name)


def test_labels_name_the_controls(page, site):
    opened(page, f"{site}/all.html")
    for role, name in (("slider", "gain"), ("slider", "size"), ("combobox", "kind"), ("checkbox", "dots"), ("radio", "50 % + é"), ("group", "cell")):
        assert page.get_by_role(role, name=name, exact=True).count() == 1, name
    assert page.get_by_role("img", name="What is plotted.").count() == 1


def test_the_keyboard_moves_sliders_and_the_picture(page, site):
    opened(page, f"{site}/one.html")
    page.locator(SLIDER).focus()
    seen = {}
    for key in ("Home", "ArrowRight", "ArrowUp", "ArrowLeft", "End"):
        page.keyboard.press(key)
        seen[key] = page.locator(SLIDER).input_value(), d(page)
    assert [value for value, _ in seen.values()] == ["0", "1", "2", "1", "4"]
    assert seen["ArrowRight"] == seen["ArrowLeft"] and len({path for _, path in seen.values()}) == 4


def test_the_keyboard_reaches_every_control(page, site):
    opened(page, f"{site}/all.html")
    reached = []
    for _ in range(10):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.name || document.activeElement.tagName"))
    assert reached == ["n", "gain", "scale", "size", "kind", "cell", "on", "BUTTON", "BUTTON", "A"]


def test_reset_goes_back_to_the_first_state(page, site):
    opened(page, f"{site}/all.html#fig-a?n=3&on=false&cell=50+%25+%2B+%C3%A9&scale=0.01")
    first = opened(page.context.new_page(), f"{site}/all.html")
    assert pages.picture(page, "fig-a") != pages.picture(first, "fig-a")
    page.get_by_role("button", name="Reset").click()
    page.wait_for_function("new URLSearchParams(location.hash.split('?')[1]).get('n') === '2'")
    assert pages.picture(page, "fig-a") == pages.picture(first, "fig-a")
    assert page.locator("#fig-a [name=n] + output").text_content() == "2"


def test_the_setting_is_announced_after_a_pause(page, site):
    opened(page, f"{site}/all.html")
    pages.set_control(page, "fig-a", "n", 3)
    page.wait_for_function("""document.querySelector("[role=status]").textContent.includes('say "5 $"')""")
    assert "explorable-hidden" in status(page).get_attribute("class")


# The address -----------------------------------------------------------------------

SETTING = dict(n="3", gain="0", scale="0.01", size='"large"', kind="relu", cell="50 % + é", on="false")


def shown_setting(page):
    return page.evaluate("""() => Object.fromEntries([...document.querySelectorAll("#fig-a output")].map(
      (o) => [document.getElementById(o.htmlFor).name, o.textContent]).concat([
      ["kind", document.querySelector("[name=kind]").value],
      ["cell", document.querySelector("[name=cell]:checked").value],
      ["on", String(document.querySelector("[name=on]").checked)]]))""")


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_a_changed_setting_is_in_the_address_and_survives_a_reload(page, site, folder, scheme):
    opened(page, f"{site}/all.html" if scheme == "http" else (folder / "all.html").as_uri())
    for name, value in dict(n=3, gain=0, scale=-2, size=1, kind="relu", cell="50 % + é", on=False).items():
        pages.set_control(page, "fig-a", name, value)
    picture = pages.picture(page, "fig-a")
    page.wait_for_function("location.hash.includes('on=false')")
    assert page.locator(".explorable-actions a").evaluate("a => a.href") == page.url
    assert shown_setting(page) == SETTING | {"gain": "0.00"}
    copy = opened(page.context.new_page(), page.url)
    assert shown_setting(copy) == SETTING | {"gain": "0.00"}
    assert pages.picture(copy, "fig-a") == picture
    page.reload()
    pages.ready(page, "fig-a")
    assert pages.picture(page, "fig-a") == picture
    assert pages.console_errors(page.messages) == []


@pytest.mark.parametrize("mark", ["?", "%3F", "%3f"])
@pytest.mark.parametrize("encode", [quote, lambda text: text.replace("%", "%25").replace("+", "%2B").replace(" ", "+")])
def test_an_address_restores_a_setting_however_it_was_encoded(page, site, mark, encode):
    opened(page, f"{site}/all.html#fig-a{mark}n=3&cell={encode('50 % + é')}&size={encode(chr(34) + 'large' + chr(34))}")
    setting = shown_setting(page)
    assert (setting["n"], setting["cell"], setting["size"]) == ("3", "50 % + é", '"large"')
    assert status(page).text_content() == ""


def test_a_new_fragment_restores_a_setting_and_what_it_leaves_out(page, site):
    opened(page, f"{site}/all.html#fig-a?n=3&on=false")
    page.evaluate("location.hash = '#fig-a?kind=relu'")
    page.wait_for_function("document.querySelector('[name=kind]').value === 'relu'")
    assert shown_setting(page)["n"] == "2" and shown_setting(page)["on"] == "true"


@pytest.mark.parametrize("wrong", ["n=99", "n=", "depth=3", "kind=%3Cb%3E", "n=2.5", "on=maybe"])
def test_a_wrong_setting_is_reported_where_it_can_be_seen(page, site, wrong):
    opened(page, f"{site}/all.html#fig-a?{wrong}&gain=1")
    assert can_be_seen(status(page))
    assert status(page).text_content() == \
        f"The address asks for a setting that this figure lacks: {wrong.replace('%3C', '<').replace('%3E', '>')}"
    assert shown_setting(page)["gain"] == "1.00" and shown_setting(page)["n"] == "2"
    pages.set_control(page, "fig-a", "n", 1)
    page.wait_for_function("document.querySelector('[role=status]').classList.contains('explorable-hidden')")


@pytest.mark.parametrize("fragment", ["#100%", "#fig-b?n=1", "#fig-a", "#", "#%E0%A4%A", "#some-section?x=%", "#fig-a?%"])
def test_fragments_of_others_do_no_harm(page, site, fragment):
    opened(page, f"{site}/all.html{fragment}")
    pages.set_control(page, "fig-a", "n", 3)
    page.evaluate("location.hash = '#50%'")
    page.wait_for_timeout(50)
    assert pages.console_errors(page.messages) == []


# Around it -------------------------------------------------------------------------

def test_without_javascript_there_is_the_first_state(new_page, site):
    page = new_page(java_script_enabled=False)
    page.goto(f"{site}/one.html")
    assert page.locator("svg").is_visible() and page.locator("figcaption").is_visible()
    assert page.locator("noscript p").is_visible()  # by its tag: Playwright finds no text in <noscript>
    assert page.locator(SLIDER).is_disabled()
    (low, middle, high), = pages.parse_path(page.locator(".explorable-slot > path").get_attribute("d"))
    assert high[1] < middle[1] < low[1]  # 0, 1, 3


def test_a_browser_that_cannot_inflate_says_so(page, site):
    page.add_init_script("delete window.DecompressionStream")
    page.goto(f"{site}/one.html")
    page.get_by_text("This browser is too old to move the controls").wait_for(state="visible")
    assert can_be_seen(status(page))
    assert page.locator(SLIDER).is_disabled() and page.locator("svg").is_visible()
    assert pages.console_errors(page.messages) == []


def test_two_on_a_page_do_not_disturb_each_other(page, tmp_path, everything):
    fig, update, controls = every_artist()
    twin = recorded(fig, lambda cell: update(3, 1, 0.1, 1, "relu", cell, True), {"cell": controls["cell"]}, "fig-b")
    (tmp_path / "p.html").write_text(html(everything._html, twin._html), encoding="utf-8")
    opened(page, (tmp_path / "p.html").as_uri())
    pages.ready(page, "fig-b")
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))
    for figure in ("fig-a", "fig-b"):
        missing = page.evaluate("""(id) => {
          const svg = document.querySelector(`#${id} > svg`);
          const used = [...svg.outerHTML.matchAll(/url\\(#([^)]+)\\)|href="#([^"]+)"/g)].map((m) => m[1] || m[2]);
          return used.filter((u) => !svg.contains(document.getElementById(u)));
        }""", figure)
        assert missing == []
    before = pages.picture(page, "fig-a")
    pages.set_control(page, "fig-b", "cell", "50 % + é")
    assert pages.picture(page, "fig-a") == before
    assert page.locator("#fig-b text", has_text="50 % + é").is_visible()
    assert page.locator("#fig-a [name=cell]:checked").input_value() == "a cell"
    assert page.locator("#fig-b [name=cell]:checked").input_value() == "50 % + é"
    page.evaluate("location.hash = '#fig-a?n=3'")
    page.wait_for_function("document.querySelector('#fig-a [name=n]').value === '3'")
    assert page.locator("#fig-b [name=cell]:checked").input_value() == "50 % + é"


def test_dollars_in_a_caption_and_an_alternative(page, tmp_path):
    fig, _, update, controls = one_curve()
    shown = recorded(fig, update, controls, alt=r"Costs \$5 or \$6.", caption=r"Costs \$5 or \$6, $x_{\$}$ and \$7 <more>.")._html
    (tmp_path / "p.html").write_text(html(shown), encoding="utf-8")
    opened(page, (tmp_path / "p.html").as_uri())
    assert page.locator("figcaption").inner_text() == r"Costs $5 or $6, \(x_{\$}\) and $7 <more>."
    assert page.locator("figcaption .math").all_inner_texts() == [r"\(x_{\$}\)"]
    assert page.get_by_role("img", name="Costs $5 or $6.", exact=True).count() == 1


@pytest.mark.parametrize("name", ["one", "all"])
def test_a_phone_shows_it_without_scrolling_sideways(new_page, site, name):
    page = opened(new_page(viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True), f"{site}/{name}.html")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for field in page.locator("#fig-a input, #fig-a select, #fig-a svg, #fig-a output").all():
        box = field.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 360
    page.locator(SLIDER).first.tap()


def test_text_and_axes_follow_the_page_into_the_dark(page, tmp_path):
    dark = "<style>:root{--pst-color-background:#121212;--pst-color-text-base:#eeeeee}body{background:#121212}</style>"
    fig, ax = plt.subplots()
    text = ax.text(0.5, 0.5, "moves")
    box, = ax.bar([0.5], [0.5], color="w", ec="k")
    (tmp_path / "p.html").write_text(html(recorded(fig, lambda n: [text, box], {"n": w.IntSlider(max=1)})._html, head=dark, theme="dark"))
    opened(page, (tmp_path / "p.html").as_uri())
    color = "(e) => [getComputedStyle(e).fill, getComputedStyle(e).stroke]"
    assert page.locator(".explorable-slot > text").evaluate(color)[0] == "rgb(238, 238, 238)"
    assert page.locator(".explorable-slot > path").evaluate(color) == ["rgb(18, 18, 18)", "rgb(238, 238, 238)"]
    still = page.locator("svg path, svg use").evaluate_all("(all) => all.flatMap((e) => [getComputedStyle(e).fill, getComputedStyle(e).stroke])")
    assert not {"rgb(0, 0, 0)", "rgb(255, 255, 255)"} & set(still)


def test_paper_shows_the_chosen_state_and_no_controls(page, site):
    opened(page, f"{site}/one.html")
    pages.set_control(page, "fig-a", "n", 4)
    path = d(page)
    page.emulate_media(media="print")
    assert not page.locator(".explorable-controls").is_visible() and page.locator("svg").is_visible()
    assert d(page) == path


@pytest.mark.parametrize("name", ["all", "two"])
def test_axe_finds_nothing_serious(page, site, name):
    from axe_playwright_python.sync_playwright import Axe

    opened(page, f"{site}/{name}.html")
    found = [(v["id"], [n["html"] for n in v["nodes"]]) for v in Axe().run(page).response["violations"] if v["impact"] in ("serious", "critical")]
    assert found == []


def test_it_asks_no_other_host_and_says_nothing(page, site):
    opened(page, f"{site}/all.html")
    pages.set_control(page, "fig-a", "n", 3)
    page.wait_for_timeout(400)
    assert page.requests and pages.foreign_requests(page.requests) == []
    assert pages.console_errors(page.messages) == []
