"""The controls: what each ipywidget offers, and the native HTML input for it."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from html import escape
from typing import Any

import ipywidgets

MAX_STATES = 20_000
_ROUNDING = 1e-6  # of a step
_PLAYABLE = 5  # a slider with fewer values is quicker moved than played

_RANGES = (ipywidgets.FloatSlider, ipywidgets.FloatLogSlider, ipywidgets.IntSlider)
_SELECTIONS = (ipywidgets.SelectionSlider, ipywidgets.Dropdown, ipywidgets.ToggleButtons)
SUPPORTED = (*_RANGES, *_SELECTIONS, ipywidgets.Checkbox)


@dataclass(frozen=True)
class Control:
    """One ipywidget, with every value that it can take.

    Attributes
    ----------
    name : the parameter of ``update`` that it drives.
    widget : the ipywidget.
    values : the values ``update`` is called with, in the control's order.
    labels : what the reader sees beside the control for each value.
    keys : the text that names each value in a page's address.
    initial : index of the widget's own value among `values`.
    """

    name: str
    widget: Any
    values: tuple
    labels: tuple[str, ...]
    keys: tuple[str, ...]
    initial: int

    @property
    def description(self) -> str:
        return self.widget.description or self.name.replace("_", " ")

    def html(self, figure_id: str) -> str:
        """The native control, labelled, with an output where it is a slider."""
        control_id = f"{figure_id}_{self.name}"  # the id of a figure has no underscore
        attributes = f'id="{control_id}" name="{escape(self.name)}"'
        label = f'<label for="{control_id}">{escape(self.description)}</label>'
        widget = self.widget
        if isinstance(widget, ipywidgets.Checkbox):
            checked = " checked" if widget.value else ""
            return f'<div class="explorable-control explorable-checkbox"><input type="checkbox" {attributes}{checked}>{label}</div>'
        if isinstance(widget, ipywidgets.Dropdown):
            return f'<div class="explorable-control">{label}<select {attributes}>{self._options()}</select></div>'
        if isinstance(widget, ipywidgets.ToggleButtons):
            return self._radio_buttons(control_id)
        if isinstance(widget, ipywidgets.SelectionSlider):
            low, high, step, value = 0, len(self.values) - 1, 1, self.initial
        else:
            low, high, step = _number(widget.min), _number(widget.max), _number(widget.step)
            exponent_or_value = widget.min + self.initial * widget.step
            value = _number(exponent_or_value)
        text = escape(self.labels[self.initial])
        play = (f'<button type="button" class="explorable-play" aria-pressed="false" aria-label="Play {escape(self.description)}">'
                "</button>") if len(self.values) >= _PLAYABLE else ""
        return (  # a screen reader says the value of the slider, once
            f'<div class="explorable-control">{label}<input type="range" {attributes} min="{low}" max="{high}" '
            f'step="{step}" value="{value}" aria-valuetext="{text}">'
            f'<output for="{control_id}" aria-live="off">{text}</output>{play}</div>'
        )

    def _options(self) -> str:
        return "".join(
            f'<option value="{escape(key)}"{" selected" if i == self.initial else ""}>{escape(label)}</option>'
            for i, (key, label) in enumerate(zip(self.keys, self.labels))
        )

    def _radio_buttons(self, control_id: str) -> str:
        buttons = "".join(
            f'<label><input type="radio" name="{escape(self.name)}" value="{escape(key)}"'
            f'{" checked" if i == self.initial else ""}>{escape(label)}</label>'
            for i, (key, label) in enumerate(zip(self.keys, self.labels))
        )
        return (
            f'<fieldset class="explorable-control explorable-radio" id="{control_id}">'
            f"<legend>{escape(self.description)}</legend>{buttons}</fieldset>"
        )


def make_control(name: str, widget: Any) -> Control:
    """Read the values that an ipywidget offers.

    Raises
    ------
    TypeError : the widget is not one of the supported controls.
    ValueError : it has no options, its range is not a whole number of steps,
        or its value is not one of those it offers.
    """
    if not isinstance(widget, SUPPORTED):
        wanted = ", ".join(cls.__name__ for cls in SUPPORTED)
        raise TypeError(f"control {name!r}: {type(widget).__name__} is not supported; use one of {wanted}")
    if isinstance(widget, ipywidgets.Checkbox):
        return Control(name, widget, (False, True), ("off", "on"), ("false", "true"), int(widget.value))
    if isinstance(widget, _RANGES):
        return _range_control(name, widget)
    options = widget._options_full
    if not options:
        raise ValueError(f"control {name!r} has no options; give it at least one")
    labels = tuple(str(label) for label, _ in options)
    if widget.index is None:
        raise ValueError(f"control {name!r} has no value; choose one of {', '.join(labels)}")
    if len(set(labels)) < len(labels):
        raise ValueError(f"control {name!r} has two options with the same label: {', '.join(labels)}")
    return Control(name, widget, tuple(value for _, value in options), labels, labels, widget.index)


def _range_control(name: str, widget: Any) -> Control:
    if not widget.step or widget.step <= 0:
        raise ValueError(f"control {name!r} has step={widget.step!r}; wanted a positive number")
    steps = round((widget.max - widget.min) / widget.step)
    if abs((widget.max - widget.min) / widget.step - steps) > _ROUNDING:
        raise ValueError(
            f"control {name!r}: the range from {widget.min} to {widget.max} is not a whole number "
            f"of steps of {widget.step}; choose min, max and step so that it is"
        )
    if steps >= MAX_STATES:
        raise ValueError(
            f"control {name!r} has {steps + 1:,} values; the limit is {MAX_STATES:,} states. Give {name!r} a larger step"
        )
    positions = [_tidy(widget.min + i * widget.step, widget.step) for i in range(steps + 1)]
    if isinstance(widget, ipywidgets.FloatLogSlider):
        values = [widget.base**position for position in positions]
        place = math.log(widget.value, widget.base)
    elif isinstance(widget, ipywidgets.IntSlider):
        values = [int(position) for position in positions]
        place = widget.value
    else:
        values, place = positions, widget.value
    initial = round((place - widget.min) / widget.step)
    if abs((place - widget.min) / widget.step - initial) > _ROUNDING:
        raise ValueError(
            f"control {name!r} has value={widget.value!r}, which is not on its own grid: "
            f"min={widget.min}, step={widget.step}"
        )
    try:
        labels = tuple(format(value, widget.readout_format) for value in values)
    except ValueError:
        raise ValueError(
            f"control {name!r} has readout_format={widget.readout_format!r}, which Python's format() does not know"
        ) from None
    _check_labels(name, widget.readout_format, values, labels)
    keys = tuple(f"{value:.10g}" for value in values)
    if len(set(keys)) < len(keys):
        keys = tuple(map(repr, values))
    return Control(name, widget, tuple(values), labels, keys, initial)


def _check_labels(name: str, readout_format: str, values: list, labels: tuple[str, ...]) -> None:
    """Raise ValueError if a reader could not tell two neighbouring values apart."""
    for first, second, here, there in zip(values, values[1:], labels, labels[1:]):
        if _unsigned_zero(here) != _unsigned_zero(there):
            continue
        formats = (f".{digits}g" for digits in range(1, 17))
        enough = [f for f in formats if len({format(value, f) for value in values}) == len(values)][:1]
        raise ValueError(
            f"control {name!r}: readout_format={readout_format!r} shows {first!r} and {second!r} as {here} and {there}; "
            + (f"give it more digits, as {enough[0]!r} has" if enough else "give it larger steps")
        )


def _unsigned_zero(label: str) -> str:
    """The label, but for the sign of a zero: "-0.00" is "0.00"."""
    return label if any(digit in label for digit in "123456789") else label.lstrip("-")


def _tidy(value: float, step: float) -> float:
    """Drop the rounding of min + i * step: 0.30000000000000004 becomes 0.3, and 5.6e-17 becomes 0."""
    return float(f"{value:.12g}") if abs(value) > step * _ROUNDING else 0.0


def _number(value: float) -> str:
    return f"{value:.12g}"


class Grid:
    """All combinations of the controls' values, numbered.

    Sliders vary fastest and selections slowest, so that neighbouring states
    look alike; that is what makes a recording small.

    Raises
    ------
    ValueError : more than `MAX_STATES` combinations.
    """

    def __init__(self, controls: list[Control]):
        self.controls = controls
        self.size = math.prod(len(control.values) for control in controls)
        if self.size > MAX_STATES:
            finest = max(controls, key=lambda control: len(control.values))
            sizes = " x ".join(f"{len(control.values)} ({control.name})" for control in controls)
            raise ValueError(
                f"the controls have {self.size:,} states: {sizes}; the limit is {MAX_STATES:,}. "
                f"Give {finest.name!r} a larger step or fewer options"
            )
        self._order = sorted(
            controls, key=lambda control: (isinstance(control.widget, _RANGES), len(control.values))
        )
        self.strides = {}
        stride = 1
        for control in reversed(self._order):
            self.strides[control.name] = stride
            stride *= len(control.values)

    @property
    def initial(self) -> int:
        """The number of the state that the widgets' own values make."""
        return sum(control.initial * self.strides[control.name] for control in self.controls)

    def states(self):
        """Yield the keyword arguments of ``update`` for states 0, 1, 2, …"""
        names = [control.name for control in self._order]
        for values in itertools.product(*(control.values for control in self._order)):
            yield dict(zip(names, values))
