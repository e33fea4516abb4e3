"""An explorable in a notebook: the widgets drive the figure."""

import io

import ipywidgets as w
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from explorable import explore
from explorable.figure import RECORD, SECONDS
from samples import every_artist, one_curve

WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(autouse=True)
def not_recording(monkeypatch):
    monkeypatch.delenv(RECORD, raising=False)


def shown(update, fig, **controls):
    """The explorable, its bundle, its picture and its error line."""
    explorable = explore(fig, update, id="fig-a", alt="A line.", caption="Line $x$ & <more>.", **controls)
    bundle = explorable._repr_mimebundle_()
    picture, *_, message, caption = explorable._widget.children
    assert caption.value.endswith('Line <span class="math notranslate nohighlight">\\(x\\)</span> &amp; &lt;more&gt;.')
    return explorable, bundle, picture, message


def test_the_bundle_in_a_notebook():
    fig, _, update, controls = one_curve()
    explorable, bundle, picture, _ = shown(update, fig, **controls)
    assert set(bundle) == {"text/plain", "image/png", WIDGET}
    assert bundle["text/plain"] == repr(explorable) == "<Explorable fig-a: 1 control, 5 states>"
    assert bundle[WIDGET]["model_id"] == explorable._widget.model_id
    assert bundle["image/png"] == bytes(picture.value)
    width, height = Image.open(io.BytesIO(bundle["image/png"])).size
    assert (width, height) == (4 * 144, 3 * 144)


def test_the_bundle_in_a_build(monkeypatch):
    monkeypatch.setenv(RECORD, "1")
    fig, _, update, controls = one_curve()
    bundle, metadata = explore(fig, update, id="fig-a", alt="A.", caption="A.", **controls)._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "image/png", "text/html"}
    assert 0 < metadata["text/html"][SECONDS] < 60
    assert bundle["text/html"].startswith('<figure class="explorable" id="fig-a">')


@pytest.mark.parametrize("recording", [False, True])
def test_a_figure_without_controls(monkeypatch, recording):
    if recording:
        monkeypatch.setenv(RECORD, "1")
    explorable = explore(one_curve()[0], id="fig-a", alt="A.", caption="A.")
    bundle = explorable._repr_mimebundle_()
    bundle = bundle[0] if recording else bundle
    assert set(bundle) == {"text/plain", "image/png"} | ({"text/html"} if recording else set())
    assert bundle["text/plain"] == "<Explorable fig-a: still>"
    if recording:
        assert "<svg" in bundle["text/html"] and "<form" not in bundle["text/html"] and "<script" not in bundle["text/html"]


def test_a_control_moves_the_picture():
    fig, line, update, controls = one_curve()
    explorable, _, picture, message = shown(update, fig, **controls)
    before = picture.value
    controls["n"].value = 3
    assert list(line.get_ydata()) == [0, 3, 1]
    assert picture.value != before and message.value == ""
    fig, _, update, _ = one_curve()
    update(3)
    fresh = explore(fig, update, id="fig-b", alt="A.", caption="A.", n=w.IntSlider(min=0, max=4, value=3))
    np.testing.assert_array_equal(*(np.asarray(Image.open(io.BytesIO(png))) for png in (picture.value, fresh.png())))
    controls["n"].value = 1
    assert picture.value == before


def test_every_type_of_control_drives_update():
    fig, update, controls = every_artist()
    seen = []

    def watched(n, gain, scale, size, kind, cell, on):
        seen.append(dict(n=n, gain=gain, scale=scale, size=size, kind=kind, cell=cell, on=on))
        return update(**seen[-1])

    shown(watched, fig, **controls)
    wanted = dict(seen[-1])
    assert wanted == dict(n=2, gain=-1, scale=1, size=1, kind="tanh & co", cell="a cell", on=True)
    for name, value in dict(n=3, gain=0, scale=0.01, size=4, kind="relu", cell="50 % + é", on=False).items():
        controls[name].value = value
        wanted[name] = value
        assert seen[-1] == wanted


def test_dollars_are_no_formula():
    fig, _, update, controls = one_curve()
    explorable = explore(fig, update, id="fig-a", alt=r"Costs \$5 or \$6.", caption=r"Costs \$5 or \$6, $x$.", **controls)
    explorable._repr_mimebundle_()
    *_, caption = explorable._widget.children
    dollar = "<span>$</span>"  # MathJax finds no pair of dollars across elements
    assert caption.value.endswith(
        f'>Costs {dollar}5 or {dollar}6.</span>Costs {dollar}5 or {dollar}6, <span class="math notranslate nohighlight">\\(x\\)</span>.')


def test_an_error_in_update_is_shown_and_raised_and_goes_away():
    fig, _, update, controls = one_curve()

    def fails(n):
        if n == 2:
            raise ValueError("no <two>")
        return update(n)

    _, _, picture, message = shown(fails, fig, **controls)
    before = picture.value
    with pytest.raises(ValueError, match="no <two>"):
        controls["n"].value = 2
    assert message.value == "update raised ValueError at n=2: no &lt;two&gt;"
    assert picture.value == before
    controls["n"].value = 3
    assert message.value == "" and picture.value != before


def test_an_update_that_returns_nothing_is_refused_at_once():
    fig, *_ = one_curve()
    with pytest.raises(TypeError, match="update returned None"):
        explore(fig, lambda n: None, id="fig-a", alt="A.", caption="A.", n=w.IntSlider())


def test_showing_it_twice_makes_one_widget():
    fig, _, update, controls = one_curve()
    explorable, bundle, _, _ = shown(update, fig, **controls)
    assert explorable._repr_mimebundle_()[WIDGET] == bundle[WIDGET]


def test_pyplot_keeps_no_figure():
    fig, _, update, controls = one_curve()
    assert plt.fignum_exists(fig.number)
    shown(update, fig, **controls)
    assert not plt.fignum_exists(fig.number)


def test_descriptions_are_not_cut_off():
    fig, _, update, controls = one_curve()
    shown(update, fig, **controls)
    assert controls["n"].description == "n" and controls["n"].style.description_width == "initial"
