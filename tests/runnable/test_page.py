"""The page's script in a browser, with the real kernel behind it: in CPython (see relay.py), and in Pyodide's core, without NumPy."""

import json
import os
import shutil
import subprocess
import sys

import pytest

import pages
import problem_sets
from grading import isolation
from pieces import answer_in_words, code, write_page
from relay import BOOK, relay

SET = BOOK / "assignments" / "release" / "ps1" / "ps1.ipynb"
needs_isolation = pytest.mark.skipif(os.environ.get("CI") != "true" and isolation.lacking() is not None, reason="students' code can't be kept apart")
CHAPTER = BOOK / "04_what_vanishes.ipynb"

SMALL = [
    code("x = 2", binds=["x"]),
    code("print(x)\nx + 1", "<pre>stored</pre>", needs=["x"]),
    code("import time\nwhile True: time.sleep(0.01)"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    write_page(folder, SMALL, "small.html")
    write_page(folder, SMALL, "dark.html", theme="dark")
    return folder


@pytest.fixture(scope="module")
def server(folder):
    with relay(folder) as made:
        yield made


@pytest.fixture
def small(page, server):
    return opened(page, server, "small.html")


def opened(page, server, name):
    server.messages.clear()
    page.goto(f"{server.address}/{name}")
    page.locator(".runnable-bar").first.wait_for()
    return page


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def run(page, number):
    """Press Run of a cell, agree to load Python if it is asked, and wait for the end."""
    bar = page.locator(f'[data-runnable="{number - 1}"] .runnable-bar')
    press(page, f"Run cell {number}")
    load = page.get_by_role("button", name="Load Python and run")
    state = page.locator(f'[data-runnable="{number - 1}"] .runnable-bar[data-state="yours"]')
    load.or_(state).first.wait_for()
    if load.count():
        load.click()
    state.wait_for()
    return bar


def output(page, number):
    return page.locator(f'[data-runnable="{number - 1}"] .runnable-yours')


def state(page, number):
    return page.locator(f'[data-runnable="{number - 1}"] .runnable-state').text_content()


def edit(page, number, source):
    if page.get_by_role("button", name=f"Edit cell {number}", exact=True).is_visible():
        press(page, f"Edit cell {number}")
    page.get_by_label(f"Code of cell {number}").fill(source)


def sources(server):
    return [message["source"] for message in server.of_type("run")]


def stored_edits(page):
    return json.loads(page.evaluate("localStorage.getItem(`runnable:${location.pathname}`)") or "{}")


def test_cells_below_one_that_ran_again_are_old_and_run_again(page, server, folder):
    write_page(folder, [code("a = 1"), code("b = a + 1\nprint(b)"), code("print(10 * b)")], "chain.html")
    opened(page, server, "chain.html")
    run(page, 3)
    assert output(page, 3).text_content() == "20\n"
    edit(page, 1, "a = 4")
    run(page, 1)
    assert [state(page, number) for number in (1, 2, 3)] == ["has run", "ran before a cell above did", "ran before a cell above did"]
    run(page, 3)
    page.get_by_text("50", exact=True).wait_for()
    assert output(page, 2).text_content() == "5\n" and state(page, 2) == "your output"
    press(page, "Reset cell 1")
    run(page, 3)
    page.get_by_text("20", exact=True).wait_for()
    assert output(page, 2).text_content() == "2\n"


# Before Run ------------------------------------------------------------------------

def test_nothing_is_asked_for_before_run_and_only_what_was_agreed_to_after(small):
    assert {url.rsplit("/", 1)[1] for url in small.requests} <= {
        "small.html", "explorable.js", "explorable.css", "runnable.js", "runnable.css", "favicon.ico"}
    before = len(small.requests)
    press(small, "Run cell 1")
    question = small.locator(".runnable-panel")
    question.wait_for()
    assert "19.3 MB from this site" in question.text_content()
    assert [url.rsplit("/", 1)[1] for url in small.requests[before:]] == ["manifest.json"]
    assert small.evaluate("document.activeElement.textContent") == "Load Python and run"
    press(small, "Not now")
    assert small.evaluate("document.activeElement.textContent") == "Run cell 1" and not question.count()
    assert len(small.requests) == before + 1 and state(small, 1) == "not run"
    run(small, 1)
    assert {url.rsplit("/", 1)[1] for url in small.requests[before:] if not url.startswith("blob:")} == {"manifest.json", "worker.js"}
    assert pages.console_errors(small.messages) == []


def test_without_a_local_pyodide_the_button_names_the_other_host(page, folder):
    with relay(folder, local=False) as server:
        opened(page, server, "small.html")
        press(page, "Run cell 1")
        page.locator(".runnable-panel", has_text="about 19 MB from cdn.example").wait_for()
        assert pages.foreign_requests(page.requests) == []


def test_the_scripts_before_run_are_small():
    import gzip

    static = BOOK / "runnable" / "static"
    assert len(gzip.compress(b"".join((static / name).read_bytes() for name in ("runnable.js", "runnable.css")), 9)) <= 10_000


@pytest.mark.parametrize("lack, why", [
    ("file", "opened as a file"), ("delete window.WebAssembly", "no WebAssembly"),
    ("window.Worker = class { constructor() {} }", "no module workers")])
def test_a_page_that_cannot_run_says_why(page, server, folder, lack, why):
    if lack == "file":
        page.goto((folder / "small.html").as_uri())
    else:
        page.add_init_script(lack)
        page.goto(f"{server.address}/small.html")
    page.get_by_text(why).wait_for()
    assert page.get_by_role("button").count() == 0
    assert pages.console_errors(page.messages) == []


# Run ---------------------------------------------------------------------------------

def test_run_runs_what_is_above_and_puts_the_output_in_place_of_the_stored_one(small, server):
    assert small.get_by_text("stored", exact=True).is_visible() and state(small, 2) == "stored output"
    run(small, 2)
    assert output(small, 2).locator("pre").all_text_contents() == ["2\n", "3"]
    assert not small.get_by_text("stored", exact=True).count()
    assert state(small, 2).startswith("your output") and sources(server) == [SMALL[0]["source"], SMALL[1]["source"]]
    run(small, 2)
    assert sources(server)[2:] == [SMALL[1]["source"]]  # what has run above stays


def test_an_edited_cell_runs_as_it_is_written(small, server):
    run(small, 2)
    edit(small, 1, "x = 40")
    assert state(small, 1) == "changed since it ran"
    run(small, 2)
    assert output(small, 2).locator("pre").all_text_contents() == ["40\n", "41"]
    assert sources(server)[2:] == ["x = 40", SMALL[1]["source"]]
    press(small, "Reset cell 1")
    assert not output(small, 1).count() and small.locator('[data-runnable="0"] .highlight').is_visible() and state(small, 1) == "not run"


def test_reset_gives_the_stored_output_back(small):
    run(small, 2)
    edit(small, 2, "x + 5")
    press(small, "Reset cell 2")
    assert small.get_by_text("stored", exact=True).is_visible() and not output(small, 2).count() and state(small, 2) == "stored output"
    assert stored_edits(small) == {}


@pytest.mark.parametrize("source, name, line", [("\n1 / 0", "ZeroDivisionError", "line 2: 1 / 0"), ("def f(:", "SyntaxError", "line 1: def f(:")])
def test_errors_are_short_and_name_the_line(small, source, name, line):
    edit(small, 1, source)
    run(small, 1)
    error = output(small, 1).locator(".runnable-error").text_content()
    assert error.startswith(name) and line in error and error.count("\n") <= 3 and "error" in state(small, 1)


def test_an_error_above_stops_what_follows_which_can_run_alone(small, server):
    edit(small, 1, "y")
    press(small, "Run cell 2")
    press(small, "Load Python and run")
    small.get_by_text("This cell has not run: cell 1 above stopped with NameError").first.wait_for()
    assert sources(server) == ["y"] and state(small, 2) == "stored output"
    edit(small, 2, "6 * 7")
    press(small, "Run this cell alone")
    output(small, 2).get_by_text("42").wait_for()


def test_a_check_that_fails_stops_nothing(page, server, folder):
    write_page(folder, [code("1 / 0", tag="tag_raises-exception"), code("print('on')")], "checks.html")
    opened(page, server, "checks.html")
    run(page, 2)
    assert "ZeroDivisionError" in output(page, 1).text_content() and output(page, 2).text_content() == "on\n"


def test_a_cell_that_the_page_drops_runs_too(page, server, folder):
    write_page(folder, [code("hidden = 5", shown=False), code("hidden")], "dropped.html")
    opened(page, server, "dropped.html")
    run(page, 2)
    assert output(page, 2).text_content() == "5"


def test_what_took_long_is_a_choice(page, server, folder):
    write_page(folder, [
        code("import math", seconds=0.1, binds=["math"]), code("a = 1", seconds=40, binds=["a"]), code("b = 2", seconds=200, binds=["b"]),
        code("b", seconds=5, needs=["b"])], "long.html")
    opened(page, server, "long.html")
    assert "took 3 min when the book was built" in state(page, 3)
    press(page, "Run cell 4")
    page.get_by_role("button", name="Load Python", exact=True).click()  # and not "and run", as there is another question
    question = page.locator(".runnable-panel", has_text="They took 4 min when the book was built")
    question.wait_for()
    assert question.get_by_role("button").all_text_contents() == [
        "Run what it needs (2 cells, about 17 min)", "Run all above (3 cells, about 20 min)", "Run this cell alone", "Not now"]
    question.get_by_role("button").first.click()
    output(page, 4).get_by_text("2").wait_for()
    assert sources(server) == ["import math", "b = 2", "b"]
    assert state(page, 2).startswith("not run")


def test_ten_megabytes_of_output_and_progress_bars_do_no_harm(small):
    edit(small, 1, "for i in range(100): print(f'\\r{i} of 100', end='')\nprint()\nfor i in range(100_000): print('z' * 100)\nx = 2")
    run(small, 1)
    shown = output(small, 1).text_content()
    assert shown.startswith("99 of 100\nzzz") and "cut here" in shown and len(shown) < 300_000
    assert output(small, 1).locator("pre").evaluate("(pre) => pre.tabIndex === 0 && pre.clientHeight < 600 && pre.scrollWidth <= pre.clientWidth")


def test_a_cell_that_shows_a_warning_of_numpy_says_that_it_behaves_otherwise(page, server, folder):
    write_page(folder, [code("1", warns=True), code("2")], "warns.html")
    opened(page, server, "warns.html")
    assert page.locator(".runnable-bar", has_text="NumPy in a browser gives no floating-point warnings").count() == 1


def test_pictures_and_html_are_shown(small):
    edit(small, 1, "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.title('A line')\n"
                   "class Table:\n    def _repr_html_(self): return '<table><tr><td>cell</td></tr></table>'\nTable()")
    run(small, 1)
    picture = output(small, 1).get_by_role("img", name="A line")
    assert picture.evaluate("(img) => img.decode().then(() => img.naturalWidth / img.width)") == pytest.approx(2, abs=0.05)
    assert output(small, 1).locator("td").text_content() == "cell"


# Stop --------------------------------------------------------------------------------

def test_an_endless_loop_is_stopped_and_names_are_gone(small, server):
    edit(small, 1, "x = 7")
    run(small, 2)
    press(small, "Run cell 3")
    small.locator('[data-runnable="2"] .runnable-bar[data-state="running"]').wait_for()
    child = server.children[-1]
    press(small, "Stop cell 3")
    small.get_by_text("All names are gone").first.wait_for()
    assert child.wait(10) == -9
    assert "before Python stopped" in state(small, 2) and state(small, 3) == "stopped before its end"
    assert small.get_by_label("Code of cell 1").input_value() == "x = 7" and stored_edits(small)["0"]["source"] == "x = 7"
    run(small, 2)
    assert sources(server)[-2:] == ["x = 7", SMALL[1]["source"]] and output(small, 2).locator("pre").last.text_content() == "8"


def test_restart_begins_again_with_no_names(small, server):
    run(small, 1)
    press(small, "Restart Python")
    small.get_by_text("Python runs in your browser").wait_for()
    edit(small, 2, "'x' in globals()")
    edit(small, 1, "")
    run(small, 2)
    assert output(small, 2).text_content() == "False"


def test_a_download_that_breaks_off_is_told_and_tried_again(small, server):
    server.refuse.append("the network went away")
    press(small, "Run cell 1")
    press(small, "Load Python and run")
    small.get_by_text("Python could not be loaded: the network went away").first.wait_for()
    assert state(small, 1) == "not run" and not small.get_by_role("button", name="Stop Python").is_visible()
    run(small, 1)
    assert state(small, 1).startswith("has run")


def test_a_worker_that_does_not_come_is_told(small):
    small.route("**/worker.js", lambda route: route.abort())
    press(small, "Run cell 1")
    press(small, "Load Python and run")
    small.get_by_text("Python could not be loaded").first.wait_for()
    small.unroute("**/worker.js")
    run(small, 1)


def test_the_progress_is_told_in_megabytes(small, server):
    small.route("**/worker.js", lambda route: route.fulfill(
        content_type="text/javascript", body="onmessage = () => postMessage({ type: 'progress', loaded: 4_200_000, total: 19_300_000 })"))
    press(small, "Run cell 1")
    press(small, "Load Python and run")
    small.get_by_text("loading Python: 4.2 of 19.3 MB").first.wait_for()
    press(small, "Stop cell 1")
    assert state(small, 1) == "not run"


# Edits -------------------------------------------------------------------------------

def test_edits_survive_a_reload_until_they_are_deleted(small):
    edit(small, 2, "x + 100")
    small.reload()
    assert small.get_by_label("Code of cell 2").input_value() == "x + 100" and state(small, 2) == "changed, not run yet"
    press(small, "Delete my edits on this page")
    press(small, "Keep my edits")
    assert small.get_by_label("Code of cell 2").input_value() == "x + 100"
    press(small, "Delete my edits on this page")
    press(small, "Delete my edits")
    assert stored_edits(small) == {} and not small.get_by_label("Code of cell 2").count()
    assert not small.get_by_role("button", name="Delete my edits on this page").is_visible()


def test_reset_page_gives_everything_back(small):
    edit(small, 1, "x = 3")
    run(small, 2)
    press(small, "Reset page")
    small.locator(".runnable-panel").get_by_role("button", name="Reset page").click()
    assert small.evaluate("document.activeElement.className") == "runnable-page"
    assert not small.locator(".runnable-yours, textarea").count() and small.get_by_text("stored", exact=True).is_visible()
    assert stored_edits(small) == {} and not small.get_by_role("button", name="Stop Python").is_visible()
    assert small.locator(".runnable-top .runnable-note").all_text_contents()[1:] == ["The page is as it came."]  # and nothing of before


def test_an_edit_of_a_cell_that_has_changed_since_is_kept_beside_it(page, server):
    page.goto(f"{server.address}/favicon.ico")
    mine = {"1": {"source": "mine", "original": "an older cell"}, "77": {"source": "lost?", "original": "gone"}}
    page.evaluate("(edits) => localStorage.setItem('runnable:/small.html', JSON.stringify(edits))", mine)
    opened(page, server, "small.html")
    assert page.get_by_text("The book has changed here since you edited cell 2").is_visible() and page.get_by_text("lost?").is_visible()
    assert page.locator('[data-runnable="1"] .highlight').is_visible() and stored_edits(page) == mine
    press(page, "Use what I wrote")
    assert page.get_by_label("Code of cell 2").input_value() == "mine"
    press(page, "Delete it")
    assert stored_edits(page) == {"1": {"source": "mine", "original": SMALL[1]["source"]}}


@pytest.mark.parametrize("broken", [
    "Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }",
    "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('forbidden', 'SecurityError'); } })"])
def test_storage_that_is_full_or_forbidden_is_said_and_breaks_nothing(page, server, broken):
    page.add_init_script(broken)
    opened(page, server, "small.html")
    assert not page.get_by_text("does not keep your edits").is_visible()
    edit(page, 1, "x = 9")
    assert page.get_by_text("does not keep your edits").is_visible()
    run(page, 2)
    assert output(page, 2).locator("pre").last.text_content() == "10"
    assert pages.console_errors(page.messages) == []


def test_an_edit_of_another_tab_is_not_lost(small):
    other = small.context.new_page()
    other.goto(small.url)
    edit(small, 1, "x = 1")
    edit(other, 2, "x")
    assert stored_edits(small).keys() == {"0", "1"}
    small.get_by_label("Code of cell 2").wait_for()  # what another tab wrote comes here
    assert small.get_by_label("Code of cell 2").input_value() == "x"
    press(other, "Reset cell 2")
    small.get_by_role("button", name="Edit cell 2").wait_for()
    assert small.get_by_label("Code of cell 1").input_value() == "x = 1" and stored_edits(small).keys() == {"0"}


def test_two_tabs_that_write_in_one_cell_are_told(small):
    other = small.context.new_page()
    other.goto(small.url)
    edit(small, 1, "x = 1")
    edit(other, 1, "x = 1, from the other")
    other.evaluate("""() => { // what comes when both write at once
        const kept = (source) => JSON.stringify({ 0: { source, original: "" } });
        dispatchEvent(new StorageEvent("storage", { key: `runnable:${location.pathname}`, oldValue: kept("x"), newValue: kept("x = 2") })); }""")
    other.get_by_text("You have written something else here in another tab").first.wait_for()
    assert other.get_by_label("Code of cell 1").input_value() == "x = 1, from the other"
    assert pages.console_errors(small.messages) == []


def test_escape_brings_back_the_colours_of_code_that_was_not_changed(small):
    press(small, "Edit cell 1")
    small.keyboard.press("Escape")
    assert not small.get_by_label("Code of cell 1").count() and small.evaluate("document.activeElement.textContent") == "Run cell 1"
    edit(small, 1, "x = 1")
    small.keyboard.press("Escape")
    assert small.get_by_label("Code of cell 1").input_value() == "x = 1"


# The keyboard, and other ways to read ---------------------------------------------------

def test_the_keyboard_runs_leaves_and_indents(small):
    small.get_by_role("button", name="Edit cell 1").press("Enter")
    area = small.get_by_label("Code of cell 1")
    focus = "document.activeElement.tagName + document.activeElement.textContent"
    assert small.evaluate(focus).startswith("TEXTAREA")
    area.press("Control+a")
    small.keyboard.type("if True:")
    area.press("Enter")
    small.keyboard.type("x = 3")
    area.press("Enter")
    small.keyboard.type("x += 1")
    assert area.input_value() == "if True:\n    x = 3\n    x += 1"
    area.press("Control+]")
    assert area.input_value().endswith("\n        x += 1")
    area.press("Control+[")
    area.press("Control+z")
    assert area.input_value().endswith("\n        x += 1")
    area.press("Control+[")
    area.press("Shift+Enter")
    press(small, "Load Python and run")
    small.locator('[data-runnable="0"] .runnable-bar[data-state="yours"]').wait_for()
    assert area.input_value() == "if True:\n    x = 3\n    x += 1"
    area.focus()
    area.press("Tab")
    assert small.evaluate(focus) == "BUTTONRun cell 1"
    area.focus()
    area.press("Escape")
    assert small.evaluate(focus) == "BUTTONRun cell 1"


def test_the_text_grows_and_wraps(small):
    edit(small, 1, "\n".join(["x = 1"] * 30 + ["y" * 500]))
    assert small.get_by_label("Code of cell 1").evaluate("(area) => area.scrollHeight <= area.clientHeight + 1 && area.scrollWidth <= area.clientWidth")


def test_what_happens_is_announced(small):
    run(small, 1)
    said = small.locator("[role=status]").first
    small.wait_for_function("document.querySelector('[role=status]').textContent === 'cell 1: done'")
    edit(small, 1, "1 / 0")
    run(small, 1)
    assert said.text_content() == "cell 1: ZeroDivisionError: division by zero"


@pytest.mark.parametrize("name", ["small.html", "dark.html"])
def test_axe_finds_nothing_serious(page, server, name):
    from axe_playwright_python.sync_playwright import Axe

    opened(page, server, name)
    edit(page, 1, "import warnings\nwarnings.warn('careful')\nprint('x\\n' * 100)\nx = 2")
    run(page, 2)
    press(page, "Delete my edits on this page")
    found = [(v["id"], [n["html"] for n in v["nodes"]]) for v in Axe().run(page).response["violations"] if v["impact"] in ("serious", "critical")]
    assert found == []


def test_a_phone_shows_it_without_scrolling_sideways(new_page, server):
    page = opened(new_page(viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True), server, "small.html")
    edit(page, 1, "x = 2; print('a' * 300)\nimport matplotlib.pyplot as plt; plt.figure(figsize=(9, 2)).add_subplot()")
    run(page, 2)
    press(page, "Reset page")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for button in page.get_by_role("button").all():
        if button.is_visible():
            box = button.bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= 360 and box["height"] >= 24


# Live figures -------------------------------------------------------------------------

EXPLORE = """
import time
import matplotlib.pyplot as plt
from explorable import explore
from ipywidgets import FloatSlider
fig, ax = plt.subplots(figsize=(4, 3))
ax.set(xlim=(0, 1), ylim=(0, 10))
line, = ax.plot([0, 1], [1, 1])
name = ax.set_title("")
def update(gain):
    line.set_ydata([0, gain])
    name.set_text(f"gain {gain:.0f}")
    return line, name
explore(fig, update, id="fig-gain", alt="A line.", caption="A line.", gain=FloatSlider(min=0, max=9, step=1, value=3))
"""


@pytest.fixture
def figure(page, server, folder):
    stored = '<div class="output text_html"><figure class="explorable" id="fig-gain"><svg></svg><figcaption>stored figure</figcaption></figure></div>'
    write_page(folder, [code(EXPLORE, stored), code("2")], "figure.html")
    opened(page, server, "figure.html")
    run(page, 1)
    pages.ready(page, "fig-gain")
    return page


def title(page):
    return page.locator("#fig-gain .explorable-slot > text").text_content()


def moved(page, value, text):
    pages.set_control(page, "fig-gain", "gain", value)
    page.locator("#fig-gain .explorable-slot > text", has_text=text).wait_for()


def test_a_live_figure_moves_and_the_stored_one_has_left(figure):
    assert figure.locator("figure.explorable").count() == 1 and title(figure) == "gain 3"
    path = figure.locator("#fig-gain .explorable-slot > path")
    before = pages.parse_path(path.get_attribute("d"))[0]
    moved(figure, 6, "gain 6")
    after = pages.parse_path(path.get_attribute("d"))[0]
    assert after[1][1] - after[0][1] == pytest.approx(2 * (before[1][1] - before[0][1]), abs=0.2)
    figure.wait_for_function("location.hash === '#fig-gain?gain=6'")
    figure.locator("#fig-gain").get_by_role("button", name="Reset").click()
    figure.locator("#fig-gain .explorable-slot > text", has_text="gain 3").wait_for()
    press(figure, "Reset cell 1")
    assert figure.get_by_text("stored figure").is_visible() and figure.locator("figure").count() == 1
    assert pages.console_errors(figure.messages) == []


def test_an_edited_update_and_a_wider_range_work(figure):
    edit(figure, 1, EXPLORE.replace("gain {gain:.0f}", "twice {2 * gain:.0f}").replace("max=9", "max=50"))
    run(figure, 1)
    pages.ready(figure, "fig-gain")
    assert figure.locator("figure.explorable").count() == 1 and title(figure) == "twice 6"
    moved(figure, 40, "twice 80")


def test_dragging_never_queues(figure, server):
    edit(figure, 1, EXPLORE.replace("line.set_ydata", "time.sleep(0.3); line.set_ydata"))
    run(figure, 1)
    pages.ready(figure, "fig-gain")
    server.messages.clear()
    figure.locator("#fig-gain").evaluate(f"(figure) => [4, 9, 8, 7, 6, 5].forEach((value) => ({pages.SET_CONTROL})(figure, 'gain', value))")
    figure.locator("#fig-gain .explorable-slot > text", has_text="gain 5").wait_for()
    figure.wait_for_function("document.querySelector('#fig-gain [role=status]').textContent === 'gain 5'")
    asked = [message["values"]["gain"] for message in server.of_type("set")]
    assert asked[:2] == [4, 5] and set(asked[2:]) <= {5} and len(asked) <= 4
    assert server.of_type("set")[-1]["settled"] is True


def test_a_figure_that_waits_says_so(figure):
    edit(figure, 1, EXPLORE.replace("line.set_ydata", "time.sleep(2 * (gain == 5)); line.set_ydata"))
    run(figure, 1)
    pages.ready(figure, "fig-gain")
    pages.set_control(figure, "fig-gain", "gain", 5)
    told = figure.get_by_text("Python is at work; Stop Python ends it.")
    told.wait_for()
    assert title(figure) == "gain 3"
    figure.locator("#fig-gain .explorable-slot > text", has_text="gain 5").wait_for()
    assert not told.count()


def test_a_pin_stays_behind(figure):
    figure.get_by_role("button", name="Pin").click()
    figure.get_by_text("pinned: gain = 3").wait_for()
    ghost = figure.locator(".explorable-ghost path")
    pinned = ghost.get_attribute("d")
    moved(figure, 8, "gain 8")
    assert ghost.get_attribute("d") == pinned != figure.locator("#fig-gain .explorable-slot > path").get_attribute("d")
    figure.get_by_role("button", name="Pin").click()
    figure.wait_for_function("!document.querySelector('.explorable-ghost')")


def test_the_keyboard_and_the_address_move_it(figure):
    figure.locator("#fig-gain input").press("ArrowRight")
    figure.locator("#fig-gain .explorable-slot > text", has_text="gain 4").wait_for()
    figure.evaluate("location.hash = '#fig-gain?gain=7'")
    figure.locator("#fig-gain .explorable-slot > text", has_text="gain 7").wait_for()
    figure.evaluate("location.hash = '#fig-gain?gain=70'")
    figure.get_by_text("The address asks for a setting that this figure lacks: gain=70").wait_for()


def test_an_update_that_fails_says_so_and_recovers(figure):
    edit(figure, 1, EXPLORE.replace("line.set_ydata", "1 / (gain - 5); line.set_ydata"))
    run(figure, 1)
    pages.ready(figure, "fig-gain")
    pages.set_control(figure, "fig-gain", "gain", 5)
    told = figure.locator("#fig-gain [role=status]", has_text="ZeroDivisionError")
    told.wait_for()
    assert told.bounding_box()["height"] > 10 and title(figure) == "gain 3"
    moved(figure, 6, "gain 6")
    figure.wait_for_function("document.querySelector('#fig-gain [role=status]').classList.contains('explorable-hidden')")


def test_a_stopped_python_is_told_at_the_figure(figure):
    press(figure, "Stop Python")
    assert figure.get_by_text("run the cell again to move this figure").is_visible()
    assert figure.locator("#fig-gain input").is_disabled()
    run(figure, 1)
    moved(figure, 2, "gain 2")


def test_a_figure_with_an_id_that_the_page_has_is_refused(page, server, folder):
    write_page(folder, [code(EXPLORE)], "taken.html", body='<h2 id="fig-gain">A heading</h2>')
    opened(page, server, "taken.html")
    run(page, 1)
    assert "the page has something else with the id fig-gain" in output(page, 1).text_content()


def test_a_figure_that_another_cell_shows_moves_there(figure):
    edit(figure, 2, EXPLORE)
    run(figure, 2)
    pages.ready(figure, "fig-gain")
    assert figure.locator("figure.explorable").count() == 1 and output(figure, 2).locator("figure").count() == 1
    assert figure.get_by_text("The figure fig-gain is now below cell 2").is_visible()


def test_the_figure_of_chapter_4_follows_its_sliders(page, server, folder):
    parts = ("plt.style.use", "def setting(", "def picture(", "norm_curve, = ", 'id="fig-w-hh-scale"')
    sources = ["".join(cell["source"]) for cell in json.loads(CHAPTER.read_text())["cells"] if cell["cell_type"] == "code"]
    needed = [code(next(source for source in sources if part in source)) for part in parts]
    write_page(folder, needed, "chapter.html")
    opened(page, server, "chapter.html")
    run(page, 5)
    pages.ready(page, "fig-w-hh-scale")
    texts = page.locator("#fig-w-hh-scale .explorable-slot > text")
    before = texts.first.text_content()
    pages.set_control(page, "fig-w-hh-scale", "w_hh_scale", 1.5)
    page.wait_for_function("(before) => document.querySelector('#fig-w-hh-scale .explorable-slot > text').textContent !== before", arg=before)
    assert pages.console_errors(page.messages) == []


# Problem sets -------------------------------------------------------------------------

def set_cells():
    found = []
    for index, cell in enumerate(json.loads(SET.read_text())["cells"]):
        mark, source = cell["metadata"].get("nbgrader", {}), "".join(cell["source"])
        if cell["cell_type"] == "code":
            tag = "tag_raises-exception" if "raises-exception" in cell["metadata"].get("tags", []) else ""
            found.append(code(source, answer=not mark.get("locked"), tag=tag, index=index))
        elif mark.get("solution"):
            found.append(answer_in_words() | {"index": index})
    return found


@pytest.fixture
def problem_set(page, server, folder):
    write_page(folder, set_cells(), "set.html", notebook="_sources/ps1.ipynb")
    notebook = json.loads(SET.read_text())
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell.update(execution_count=3, outputs=[{"output_type": "stream", "name": "stdout", "text": "old"}])
    (folder / "_sources").mkdir(exist_ok=True)
    (folder / "_sources" / "ps1.ipynb").write_text(json.dumps(notebook))
    return opened(page, server, "set.html")


SOLUTION = """def by_hand(w1, w2, w3, b1, b2, x, y):
    h = np.tanh(w1 * x + b1)
    d = w2 * h + w3 * x + b2 - y
    dz = d * w2 * (1 - h**2)
    return {"w1": dz * x, "w2": d * h, "w3": d * x, "b1": dz, "b2": d, "x": dz * w1 + d * w3}
"""


def place_of(grade_id):
    notebook = json.loads(SET.read_text())["cells"]
    index = next(i for i, cell in enumerate(notebook) if cell["metadata"].get("nbgrader", {}).get("grade_id") == grade_id)
    return index, next(place for place, cell in enumerate(set_cells(), 1) if cell["index"] == index)


def test_an_answer_is_written_checked_downloaded_and_opened_again(problem_set, tmp_path):
    page = problem_set
    index, question = place_of("ps1-two-paths")
    _, check = place_of("ps1-two-paths-check")
    in_words, text = place_of("ps1-missing-factor")
    assert not page.get_by_role("button", name=f"Edit cell {check}").count()  # the checks are not the student's
    run(page, check)
    assert "NotImplementedError" in output(page, check).text_content()
    edit(page, question, SOLUTION)
    run(page, check)
    assert output(page, check).text_content().count("as expected") == 6
    press(page, f"Edit the answer {text}")
    page.get_by_label(f"Your answer, the answer {text}").fill("The slope in layer 1.\n\nIt does not depend on $\\varepsilon$.")
    with page.expect_download() as download:
        press(page, "Download my notebook")
    assert download.value.suggested_filename == "ps1.ipynb"
    handed_in = tmp_path / "ps1.ipynb"
    download.value.save_as(handed_in)
    given, original = json.loads(handed_in.read_text()), json.loads(SET.read_text())
    assert "".join(given["cells"][index]["source"]) == SOLUTION and "".join(given["cells"][in_words]["source"]).startswith("The slope in layer 1.\n\nIt")
    for place, (one, other) in enumerate(zip(given["cells"], original["cells"], strict=True)):
        assert one["metadata"] == other["metadata"] and one.get("outputs", []) == [] and not one.get("execution_count") and one.get("id") == other.get("id")
        assert place in (index, in_words) or "".join(one["source"]) == "".join(other["source"])
    assert given["metadata"] == original["metadata"] and given["nbformat_minor"] == original["nbformat_minor"]

    press(page, "Delete my edits on this page")
    press(page, "Delete my edits")
    given["cells"].append({"cell_type": "markdown", "metadata": {}, "source": "mine", "id": "mine"})
    handed_in.write_text(json.dumps(given))
    page.locator("input[type=file]").set_input_files(handed_in)
    page.get_by_text("The answers of ps1.ipynb are on the page. The page cannot show a cell that you have added").first.wait_for()
    assert page.get_by_label(f"Code of cell {question}").input_value() == SOLUTION
    assert page.get_by_label(f"Your answer, the answer {text}").input_value().startswith("The slope in layer 1.")
    assert pages.console_errors(page.messages) == []


def test_escape_leaves_an_answer_in_words(problem_set):
    _, number = place_of("ps1-missing-factor")
    press(problem_set, f"Edit the answer {number}")
    problem_set.keyboard.press("Escape")
    assert problem_set.evaluate("document.activeElement.textContent") == f"Edit the answer {number}"
    press(problem_set, f"Edit the answer {number}")
    problem_set.keyboard.type("Mine.")
    problem_set.keyboard.press("Escape")
    assert problem_set.evaluate("document.activeElement.textContent") == f"Reset the answer {number}"


@needs_isolation
def test_what_is_downloaded_is_graded_like_a_notebook_from_jupyterlab(problem_set, tmp_path):
    """Both have all solutions, and one slip."""
    course, lab, wanted = tmp_path / "course", problem_sets.read(SET), problem_sets.source("ps1")
    for answer in (cell for cell in lab.cells if problem_sets.grade_id(cell) and cell.metadata.nbgrader.solution):
        key = problem_sets.grade_id(answer)
        answer.source = problem_sets.cell(wanted, key).source.replace("dz = do * w2", "dz = do")
        _, number = place_of(key)
        if answer.cell_type == "code":
            edit(problem_set, number, answer.source)
        else:
            press(problem_set, f"Edit the answer {number}")
            problem_set.get_by_label(f"Your answer, the answer {number}").fill(answer.source)
    with problem_set.expect_download() as download:
        press(problem_set, "Download my notebook")
    course.mkdir()
    shutil.copy(problem_sets.COURSE / "nbgrader_config.py", course)
    shutil.copytree(problem_sets.COURSE / "source" / "ps1", course / "source" / "ps1")
    in_course = dict(cwd=course, check=True, capture_output=True, timeout=300, env=os.environ | {"GRADING_SEED": "17"})
    subprocess.run([sys.executable, "-m", "nbgrader", "generate_assignment", "ps1"], **in_course)
    problem_sets.hand_in(course, "page", "ps1", download.value.path().read_text())
    problem_sets.hand_in(course, "lab", "ps1", lab)
    subprocess.run([sys.executable, "-m", "grading", "ps1"], **in_course)
    marks, full = problem_sets.scores(course, "ps1"), problem_sets.points_of(wanted)
    assert marks["page"] == marks["lab"]
    assert 0 < marks["page"]["ps1-two-paths-test"] < full.pop("ps1-two-paths-test") and {key: marks["page"][key] for key in full} == full


@pytest.mark.parametrize("content, why", [
    ("no JSON", "is no notebook"), ("[]", "is no notebook"), ('{"cells": 3}', "is no notebook"),
    ((SET.parents[1] / "ps2" / "ps2.ipynb").read_text(), "is not a notebook of this problem set: it has no cell ps1-two-paths")])
def test_another_notebook_is_refused(problem_set, tmp_path, content, why):
    (tmp_path / "mine.ipynb").write_text(content)
    problem_set.locator("input[type=file]").set_input_files(tmp_path / "mine.ipynb")
    problem_set.get_by_text(why).first.wait_for()
    assert not problem_set.locator("textarea").count()


def test_a_problem_set_that_has_changed_on_the_site_is_not_mixed(problem_set, folder):
    notebook = json.loads(SET.read_text())
    notebook["cells"].insert(0, notebook["cells"][0])
    (folder / "_sources" / "ps1.ipynb").write_text(json.dumps(notebook))
    press(problem_set, "Download my notebook")
    problem_set.get_by_text("the problem set has changed since this page was loaded").first.wait_for()


# Pyodide ---------------------------------------------------------------------------------

POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; worker-src 'self' blob:"


@pytest.fixture(scope="module")
def pyodide_site(core, tmp_path_factory, serve):
    folder = tmp_path_factory.mktemp("pyodide")
    shutil.copytree(core, folder / "pyodide")
    (folder / "pyodide" / "manifest.json").write_text(json.dumps({"files": {file.name: file.stat().st_size for file in core.iterdir()}, "packages": {}}))
    packages = folder / "own"
    shutil.copytree(BOOK / "runnable", packages / "runnable", ignore=shutil.ignore_patterns("static", "__pycache__"))
    shutil.make_archive(str(folder / "book"), "zip", packages)
    cells = [code("x = 2"), code("import sys\nprint(x, sys.platform)\nx + 1"), code("def f(n): return f(n + 1)\nf(0)"), code("while True: pass")]
    write_page(folder, cells, pyodide={"archives": ["book.zip"]}, policy=POLICY)
    return serve(folder)


def test_pyodide_runs_stops_and_is_loaded_again_when_it_broke_off(page, pyodide_site):
    page.set_default_timeout(90_000)
    page.goto(f"{pyodide_site}/page.html")
    page.route("**/python_stdlib.zip", lambda route: route.abort())
    press(page, "Run cell 2")
    press(page, "Load Python and run")
    page.get_by_text("Python could not be loaded").first.wait_for()
    page.unroute("**/python_stdlib.zip")
    page.messages.clear()  # what Pyodide and the browser said of the broken download
    run(page, 2)
    assert output(page, 2).locator("pre").all_text_contents() == ["2 emscripten\n", "3"]
    run(page, 3)
    assert "RecursionError" in output(page, 3).text_content()
    edit(page, 1, "x = 20")
    edit(page, 3, "")
    press(page, "Run cell 4")
    page.locator('[data-runnable="3"] .runnable-bar[data-state="running"]').wait_for()
    press(page, "Stop cell 4")
    page.get_by_text("All names are gone").first.wait_for()
    run(page, 2)
    assert output(page, 2).locator("pre").last.text_content() == "21"
    assert pages.foreign_requests(page.requests) == []
    assert pages.console_errors(page.messages) == []
