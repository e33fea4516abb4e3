"""Every control: the values it gives `update`, its HTML, and what is refused."""

import re
from xml.etree import ElementTree

import ipywidgets as w
import matplotlib.pyplot as plt
import pytest

from explorable import explore
from explorable.controls import Grid, make_control


def parsed(control):
    """The control's HTML as a tree: inputs closed and bare attributes given a value first."""
    text = re.sub(r"(<input [^>]*)>", r"\1/>", control.html("fig-a"))
    return ElementTree.fromstring(re.sub(r" (checked|selected)(?=[ />])", r' \1=""', text))


@pytest.mark.parametrize("widget, values, labels, keys, initial", [
    (w.FloatSlider(min=0, max=0.3, step=0.1, value=0.3), (0, 0.1, 0.2, 0.3), ("0.00", "0.10", "0.20", "0.30"), ("0", "0.1", "0.2", "0.3"), 3),
    (w.FloatSlider(min=-1, max=-0.5, step=0.25, value=-0.75), (-1, -0.75, -0.5), ("-1.00", "-0.75", "-0.50"), ("-1", "-0.75", "-0.5"), 1),
    (w.FloatSlider(min=0, max=3e-10, step=1e-10, value=2e-10, readout_format=".0e"), (0, 1e-10, 2e-10, 3e-10), ("0e+00", "1e-10", "2e-10", "3e-10"), ("0", "1e-10", "2e-10", "3e-10"), 2),
    (w.FloatLogSlider(min=-2, max=1, step=1, value=0.1), (0.01, 0.1, 1, 10), ("0.01", "0.1", "1", "10"), ("0.01", "0.1", "1", "10"), 1),
    (w.FloatLogSlider(min=0, max=3, step=1, value=8, base=2), (1, 2, 4, 8), ("1", "2", "4", "8"), ("1", "2", "4", "8"), 3),
    (w.IntSlider(min=2, max=8, step=3, value=5), (2, 5, 8), ("2", "5", "8"), ("2", "5", "8"), 1),
    (w.SelectionSlider(options=[("one", 1.5), ("two", 2.5)], value=2.5), (1.5, 2.5), ("one", "two"), ("one", "two"), 1),
    (w.Dropdown(options=["a", "b c"], value="b c"), ("a", "b c"), ("a", "b c"), ("a", "b c"), 1),
    (w.ToggleButtons(options={"ReLU & co": "relu", "tanh": "tanh"}), ("relu", "tanh"), ("ReLU & co", "tanh"), ("ReLU & co", "tanh"), 0),
    (w.Checkbox(value=True), (False, True), ("off", "on"), ("false", "true"), 1),
])
def test_values_labels_and_keys(widget, values, labels, keys, initial):
    control = make_control("p", widget)
    assert control.values == values
    assert (control.labels, control.keys, control.initial) == (labels, keys, initial)


def test_values_carry_no_rounding_and_integers_stay_integers():
    assert make_control("p", w.FloatSlider(min=0, max=1, step=0.1, value=0)).values[3] == 0.3
    assert make_control("p", w.FloatSlider(min=-0.3, max=0.3, step=0.1, value=0.3)).values[3] == 0
    assert make_control("p", w.FloatSlider(min=-3e-9, max=3e-9, step=1e-9, value=1e-9, readout_format=".0e")).values[4] == 1e-9
    assert all(type(value) is int for value in make_control("p", w.IntSlider(min=0, max=3, value=0)).values)


def test_keys_tell_values_apart_that_differ_in_the_eleventh_digit():
    keys = make_control("p", w.FloatSlider(min=1, max=1 + 3e-11, step=1e-11, value=1, readout_format=".12g")).keys
    assert keys[:2] == ("1.0", "1.00000000001") and len(set(keys)) == 4


@pytest.mark.parametrize("widget, attributes, shown", [
    (w.FloatSlider(min=0, max=2, step=0.5, value=1.5), dict(min="0", max="2", step="0.5", value="1.5"), "1.50"),
    (w.FloatLogSlider(min=-3, max=0, step=0.5, value=0.1), dict(min="-3", max="0", step="0.5", value="-1"), "0.1"),
    (w.IntSlider(min=-2, max=2, value=-1), dict(min="-2", max="2", step="1", value="-1"), "-1"),
    (w.SelectionSlider(options=["x", '"<&'], value='"<&'), dict(min="0", max="1", step="1", value="1"), '"<&'),
])
def test_a_slider_is_a_range_with_a_label_and_an_output(widget, attributes, shown):
    widget.description = "<b> & \"size\""
    tree = parsed(make_control("a_b", widget))
    label, field, output, *_ = tree
    assert {key: field.get(key) for key in attributes} == attributes
    assert (field.tag, field.get("type"), field.get("name")) == ("input", "range", "a_b")
    assert field.get("aria-valuetext") == output.text == shown
    assert label.get("for") == output.get("for") == field.get("id")
    assert label.text == "<b> & \"size\""
    assert output.get("aria-live") == "off"  # the slider says its value itself


@pytest.mark.parametrize("widget, playable", [
    (w.IntSlider(min=0, max=4, value=0), True), (w.IntSlider(min=0, max=3, value=0), False),
    (w.SelectionSlider(options=list("abcde")), True), (w.Dropdown(options=list("abcde")), False)])
def test_a_slider_of_five_values_can_be_played(widget, playable):
    buttons = parsed(make_control("a_b", widget)).findall("button")
    assert [button.get("aria-label") for button in buttons] == ["Play a b"] * playable


def test_a_dropdown_is_a_select():
    label, select = parsed(make_control("kind", w.Dropdown(options=[("<a>", 1), ('say "b"', 2)], value=2)))
    assert (select.tag, select.get("name"), label.get("for")) == ("select", "kind", select.get("id"))
    assert [(o.get("value"), o.text, o.get("selected")) for o in select] == [("<a>", "<a>", None), ('say "b"', 'say "b"', "")]


def test_toggle_buttons_are_radio_buttons_in_a_fieldset():
    fieldset = parsed(make_control("kind", w.ToggleButtons(options=["LSTM with gates", "a<b"], value="a<b", description="Cell")))
    legend, *labels = fieldset
    assert (fieldset.tag, legend.text) == ("fieldset", "Cell")
    radios = [label[0] for label in labels]
    assert [(r.get("type"), r.get("name"), r.get("value"), r.get("checked")) for r in radios] == [
        ("radio", "kind", "LSTM with gates", None), ("radio", "kind", "a<b", "")]
    assert [radio.tail for radio in radios] == ["LSTM with gates", "a<b"]


def test_a_checkbox_is_a_checkbox():
    field, label = parsed(make_control("on", w.Checkbox(value=True)))
    assert (field.get("type"), field.get("name"), field.get("checked"), label.get("for")) == ("checkbox", "on", "", field.get("id"))
    assert parsed(make_control("on", w.Checkbox(value=False)))[0].get("checked") is None


def test_a_control_without_a_description_is_labelled_with_its_name():
    assert parsed(make_control("w_hh_scale", w.IntSlider()))[0].text == "w hh scale"


@pytest.mark.parametrize("widget", [
    w.Play(), w.IntText(), w.FloatRangeSlider(), w.IntRangeSlider(), w.SelectMultiple(options=["a"]), w.Text(), w.RadioButtons(options=["a"]), 3])
def test_an_unsupported_widget_is_named(widget):
    with pytest.raises(TypeError, match=rf"control 'p': {type(widget).__name__} is not supported; use one of FloatSlider.*Checkbox"):
        make_control("p", widget)


@pytest.mark.parametrize("widget, message", [
    (w.FloatSlider(min=0, max=1, step=0.1, value=0.25), r"value=0.25, which is not on its own grid: min=0.0, step=0.1"),
    (w.FloatLogSlider(min=0, max=2, step=1, value=5), r"value=5.0, which is not on its own grid"),
    (w.FloatSlider(min=0, max=1e-9, step=5e-10, value=3e-10), r"not on its own grid"),
    (w.FloatSlider(min=0, max=1, step=0.3, value=0), r"range from 0.0 to 1.0 is not a whole number of steps of 0.3"),
    (w.IntSlider(min=0, max=10, step=3, value=0), r"not a whole number of steps of 3"),
    (w.FloatSlider(min=0, max=1e-10, step=3e-11, value=0), r"not a whole number of steps"),
    (w.FloatSlider(min=0, max=1, step=0, value=0), r"step=0.0; wanted a positive number"),
    (w.FloatSlider(min=0, max=1, step=-0.5, value=0), r"step=-0.5; wanted a positive number"),
    (w.FloatSlider(min=0, max=8e-7, step=1e-8, value=0), r"readout_format='.2f' shows 0.0 and 1e-08 as 0.00 and 0.00; give it more digits, as '.2g' has"),
    (w.FloatSlider(min=0, max=1, step=0.001, value=0), r"shows 0.0 and 0.001 as 0.00 and 0.00; give it more digits, as '.3g' has"),
    (w.FloatSlider(min=-0.002, max=0, step=0.002, value=0), r"shows -0.002 and 0.0 as -0.00 and 0.00; .*'.1g' has"),
    (w.FloatLogSlider(min=-3, max=0, step=0.001, value=1), r"readout_format='.3g' shows .*give it more digits, as '.4g' has"),
    (w.FloatSlider(min=1, max=1 + 2**-44, step=2**-44, value=1, readout_format=".15g"), r"shows 1.0 and 1.0 as 1 and 1; give it larger steps"),
    (w.FloatSlider(readout_format=".2s"), r"readout_format='.2s', which Python's format\(\) does not know"),
    (w.Dropdown(options=[]), r"has no options"),
    (w.ToggleButtons(options=[]), r"has no options"),
    (w.Dropdown(options=["a", "b"], value=None), r"has no value; choose one of a, b"),
    (w.Dropdown(options=[("a", 1), ("a", 2)]), r"two options with the same label: a, a"),
    (w.IntSlider(min=0, max=2_000_000, value=0), r"2,000,001 values; the limit is 20,000 states. Give 'p' a larger step"),
])
def test_a_control_that_cannot_be_recorded_says_why(widget, message):
    with pytest.raises(ValueError, match="control 'p'.*" + message):
        make_control("p", widget)


def grid(**widgets):
    return Grid([make_control(name, widget) for name, widget in widgets.items()])


def test_the_number_of_a_state_is_the_sum_of_strides():
    g = grid(kind=w.Dropdown(options="xyz", value="y"), n=w.IntSlider(min=0, max=4, value=3), on=w.Checkbox(), f=w.FloatSlider(min=0, max=1, step=0.5, value=0.5))
    states = list(g.states())
    assert len(states) == g.size == 3 * 5 * 2 * 3
    for number, state in enumerate(states):
        assert number == sum(c.values.index(state[c.name]) * g.strides[c.name] for c in g.controls)
    assert states[g.initial] == dict(kind="y", n=3, on=False, f=0.5)


def test_too_many_states_says_how_many_and_which_control_to_coarsen():
    with pytest.raises(ValueError, match=r"20,200 states: 2 \(on\) x 101 \(fine\) x 100 \(n\); the limit is 20,000\. Give 'fine' a larger step"):
        grid(on=w.Checkbox(), fine=w.IntSlider(min=0, max=100, value=0), n=w.IntSlider(min=1, max=100, value=1))
    assert grid(n=w.IntSlider(min=1, max=100), m=w.IntSlider(min=1, max=200)).size == 20_000


@pytest.fixture
def simple():
    """Arguments of `explore` that work."""
    fig, ax = plt.subplots(figsize=(2, 2))
    line, = ax.plot([0, 1])

    def update(n):
        line.set_ydata([0, n / 2])
        return line,

    yield dict(fig=fig, update=update, id="fig-a", alt="A line.", caption="A line.", n=w.IntSlider(min=0, max=2, value=1))
    plt.close(fig)


def call(arguments):
    arguments = dict(arguments)
    return explore(arguments.pop("fig"), arguments.pop("update"), **arguments)


@pytest.mark.parametrize("id", ["", "1fig", "fig w", "fig_w", 'fig"', "fig#", "-fig", "figé", None])
def test_a_malformed_id_is_refused(simple, id):
    with pytest.raises(ValueError, match=r"id is .*wanted a letter followed by letters, digits and dashes"):
        call(simple | {"id": id})


@pytest.mark.parametrize("recording", [False, True])
def test_values_that_look_alike_are_refused_live_and_recorded(simple, monkeypatch, recording):
    monkeypatch.delenv("EXPLORABLE_RECORD", raising=False)
    if recording:
        monkeypatch.setenv("EXPLORABLE_RECORD", "1")
    with pytest.raises(ValueError, match="control 'n': readout_format='.2f' shows"):
        call(simple | {"n": w.FloatSlider(min=0, max=1e-8, step=1e-9, value=0)})


@pytest.mark.parametrize("name", ["alt", "caption"])
@pytest.mark.parametrize("text", ["", "  ", None])
def test_an_empty_alt_or_caption_is_refused(simple, name, text):
    with pytest.raises(ValueError, match=rf"{name} is .*; wanted a sentence"):
        call(simple | {name: text})


def test_parameters_and_controls_must_match(simple):
    with pytest.raises(TypeError, match="parameters without a control: none; controls without a parameter: m"):
        call(simple | {"m": w.Checkbox()})
    with pytest.raises(TypeError, match="parameters without a control: n, k; controls without a parameter: m"):
        call({**{k: v for k, v in simple.items() if k != "n"}, "m": w.Checkbox(), "update": lambda n, k: []})
    for update in (lambda *n: [], lambda **n: [], eval("lambda n, /: []")):
        with pytest.raises(TypeError, match="wanted one named parameter a control"):
            call(simple | {"update": update})
    with pytest.raises(TypeError, match="update is None, but there are controls: n"):
        call(simple | {"update": None})


def test_ids_of_controls_cannot_be_those_of_another_figure():
    control = make_control("b", w.IntSlider())
    assert "_" in control.html("fig-a").split('id="')[1].split('"')[0]  # an id of a figure has none
