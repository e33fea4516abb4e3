"""The helpers of pages.py see what is wrong: faults are planted, and must be caught."""

import numpy as np
import pytest

import pages
from pages import Message
from test_explorable_browser import html, simple


def opened(page, folder, text):
    (folder / "p.html").write_text(text, encoding="utf-8")
    page.goto((folder / "p.html").as_uri())
    return page


SOUND = simple()


def curve(page):
    return page.locator("#fig-a .explorable-slot > path")


def expected(n):
    """The curve of `samples.one_curve`, from the axes of a 4 by 3 inch figure alone."""
    left, right, top, bottom = 0.125 * 288, 0.9 * 288, 0.12 * 216, 0.89 * 216
    x = left + (right - left) * (np.array([0, 1, 2]) + 0.1) / 2.2  # with Matplotlib's margins of 5 %
    y = bottom - (bottom - top) * np.array([0, n, 4 - n]) / 4
    return [np.transpose([x, y])]


def test_a_sound_page_passes(page, tmp_path):
    opened(page, tmp_path, html(SOUND))
    pages.ready(page, "fig-a")
    pages.assert_moves(page, "fig-a", "n")
    for n in range(5):
        pages.set_control(page, "fig-a", "n", n)
        pages.assert_curve(curve(page), expected(n))
    assert pages.foreign_requests(page.requests) == [] and pages.console_errors(page.messages) == []


def test_a_slider_that_nothing_listens_to_is_caught(page, tmp_path):
    opened(page, tmp_path, html(SOUND).replace('form.addEventListener("input"', 'form.addEventListener("inputs"'))
    pages.ready(page, "fig-a")
    with pytest.raises(AssertionError, match="fig-a: no value of n changes the picture"):
        pages.assert_moves(page, "fig-a", "n")


def test_a_slider_without_its_script_is_caught(page, tmp_path):
    opened(page, tmp_path, html(SOUND).split("<script>")[0])
    with pytest.raises(Exception, match="the control n is disabled"):
        pages.set_control(page, "fig-a", "n", 2)


def test_a_wrong_curve_is_caught(page, tmp_path):
    opened(page, tmp_path, html(SOUND).replace("parts.push(x[k] / 10,", "parts.push(x[k] / 10 + 0.3,"))
    pages.ready(page, "fig-a")
    pages.set_control(page, "fig-a", "n", 3)
    with pytest.raises(AssertionError, match=r"the curve is 0\.[23]\d units from where it belongs"):
        pages.assert_curve(curve(page), expected(3))
    with pytest.raises(AssertionError, match="belongs"):
        pages.assert_curve(curve(page), expected(2))
    with pytest.raises(AssertionError, match="1 pieces; expected 2"):
        pages.assert_curve(curve(page), expected(3) * 2)


def test_an_external_script_is_caught(page, tmp_path):
    opened(page, tmp_path, html(SOUND, head='<script src="https://cdn.invalid/x.js"></script>'))
    assert pages.foreign_requests(page.requests) == ["https://cdn.invalid/x.js"]
    assert any("Failed to load resource" in error for error in pages.console_errors(page.messages))


def test_an_exception_on_the_page_is_caught(page, tmp_path):
    opened(page, tmp_path, html(SOUND) + "<script>throw new Error('planted')</script>")
    assert any("planted" in error for error in pages.console_errors(page.messages))


@pytest.mark.parametrize("value", [2.5, 9, -1])
def test_a_value_that_a_slider_cannot_take_is_caught(page, tmp_path, value):
    opened(page, tmp_path, html(SOUND))
    pages.ready(page, "fig-a")
    with pytest.raises(Exception, match="cannot be"):
        pages.set_control(page, "fig-a", "n", value)


def test_a_control_that_is_not_there_is_caught(page, tmp_path):
    opened(page, tmp_path, html(SOUND))
    pages.ready(page, "fig-a")
    with pytest.raises(Exception, match="has no control m"):
        pages.set_control(page, "fig-a", "m", 1)


def test_which_requests_are_foreign():
    own = ["http://127.0.0.1:8000/a", "http://localhost/b", "file:///a/b.js", "data:text/plain,x", "blob:null/1", "about:blank"]
    foreign = ["https://cdn.jsdelivr.net/x.js", "http://127.0.0.2.example/x", "//x.org/a", "wss://x.org", "file://server/share", "http://10.0.0.1/"]
    assert pages.foreign_requests(own) == []
    assert pages.foreign_requests(foreign) == foreign


def test_which_console_messages_count():
    font = "file:///book/_static/vendor/fa-solid-900.woff2"
    tolerated = [
        Message("warning", "Got invalid theme mode: null. Resetting to auto."),
        Message("error", f"Access to font at '{font}' from origin 'null' has been blocked by CORS policy"),
        Message("error", "Failed to load resource: net::ERR_FAILED", font),
        Message("log", "anything"),
    ]
    counted = [
        Message("error", "Failed to load resource: net::ERR_FAILED", "file:///book/_static/explorable.js"),
        Message("error", "Access to font at 'https://x.org/a.woff2' has been blocked"),
        Message("error", "Failed to load resource: net::ERR_FAILED", "https://x.org/a.woff2"),
        Message("pageerror", "TypeError: x is undefined"),
        Message("warning", "deprecated"),
    ]
    assert pages.console_errors(tolerated) == []
    assert len(pages.console_errors(counted)) == len(counted)


@pytest.mark.parametrize("d, pieces", [
    ("M1 2L3 4", [[(1, 2), (3, 4)]]),
    ("M 1 2 \nL 3 4 \nM 5 6 \nL 7 -8.5", [[(1, 2), (3, 4)], [(5, 6), (7, -8.5)]]),
    ("M1 1M2 2L3 3", [[(2, 2), (3, 3)]]),
    ("M0 0L1 0L1 1Z", [[(0, 0), (1, 0), (1, 1), (0, 0)]]),
    ("M0 0Q1 1 2 0C3 1 4 1 5 0", [[(0, 0), (2, 0), (5, 0)]]),
    ("M10 20m-1 -1l2 0l0 2z", [[(9, 19), (11, 19), (11, 21), (9, 19)]]),
])
def test_paths_are_read(d, pieces):
    got = pages.parse_path(d)
    assert len(got) == len(pieces)
    for piece, wanted in zip(got, pieces):
        np.testing.assert_allclose(piece, wanted)
