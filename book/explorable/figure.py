"""`explore`: one figure, one update function, four lives."""

from __future__ import annotations

import html
import inspect
import io
import os
import re
import time
from typing import Any, Callable, Sequence

import ipywidgets
import matplotlib.pyplot as plt

from explorable.controls import Control, Grid, make_control
from explorable.handles import Handle, check_handles, checked
from explorable.live import Live
from explorable.recorder import artists_of, describe, freeze_layout, record
from explorable.svg import WIDTH, alt_text, caption_html, figure_html

RECORD = "EXPLORABLE_RECORD"
SECONDS = "explorable_recording_seconds"  # what the recording took, beside it in a notebook that was run to build a book
_VIEW = "application/vnd.jupyter.widget-view+json"
_DPI = 144  # of PNGs: two pixels a point, sharp on a phone and a laptop


def explore(fig, update: Callable | None = None, /, *, id: str, alt: str, caption: str,
            handles: Sequence[Handle] = (), **controls) -> "Explorable":
    """Put a figure under the reader's hand.

    Parameters
    ----------
    fig : `matplotlib.figure.Figure`. It is closed in pyplot, so that the
        notebook does not show it a second time.
    update : called with one keyword argument per control; changes artists of
        `fig` and returns them all. None for a figure without controls. While
        recording, what it does not return is looked at in every state where
        it was touched, or is placed or cut by an artist that it returns; what
        follows in another way (a tick formatter that reads a global, say)
        only in the first state, the last and about ten others.
    id : the figure's name on the page: a letter, then letters, digits, dashes.
    alt : what is plotted, for readers who cannot see it.
    caption : shown under the figure; ``$…$`` is typeset, and ``\\$`` is a dollar.
    handles : points of the figure that move sliders when they are dragged; on
        the page only, not in a notebook. See `Handle`.
    **controls : one ipywidget for each parameter of `update`: FloatSlider,
        FloatLogSlider, IntSlider, SelectionSlider, Dropdown, ToggleButtons or
        Checkbox. Their own values make the first state.

    Raises
    ------
    TypeError : an unsupported control; parameters of `update` that do not
        match the controls; an `update` that does not return artists; a handle
        without a point, or of a control that isn't numeric.
    ValueError : a malformed `id`, empty `alt` or `caption`, a control whose
        value is off its own grid or whose labels don't tell its values apart,
        more than 20,000 states, or a handle that doesn't fit its axes.
    RuntimeError : while recording only: `update` failed, changed something
        that it does not return, or drew something else when it came to a state
        again; the message names the state.
    """
    if not isinstance(id, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", id):
        raise ValueError(f"id is {id!r}; wanted a letter followed by letters, digits and dashes")
    for name, text in (("alt", alt), ("caption", caption)):
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"{name} is {text!r}; wanted a sentence")
    _match(update, controls)
    grid = Grid([make_control(name, widget) for name, widget in controls.items()])
    plt.close(fig)
    return Explorable(fig, update or (lambda: []), grid, id, alt, caption, handles)


def _match(update, controls) -> None:
    if update is None:
        if controls:
            raise TypeError(f"update is None, but there are controls: {', '.join(controls)}")
        return
    parameters = inspect.signature(update).parameters
    named = [n for n, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if len(named) < len(parameters):
        raise TypeError("update takes *args, **kwargs or positional-only parameters; wanted one named parameter a control")
    missing = [name for name in named if name not in controls]
    extra = [name for name in controls if name not in named]
    if missing or extra:
        raise TypeError(
            "the parameters of update and the controls differ: "
            f"parameters without a control: {', '.join(missing) or 'none'}; "
            f"controls without a parameter: {', '.join(extra) or 'none'}"
        )


class Explorable:
    """A figure with controls; display it as the last line of a cell. Made by `explore`."""

    def __init__(self, fig, update: Callable, grid: Grid, id: str, alt: str, caption: str, handles: Sequence[Handle] = ()):
        self.fig, self.grid = fig, grid
        self.id, self.alt, self.caption = id, alt, caption
        artists = artists_of(update(**self._values()))
        self.handles = check_handles(handles, fig, grid.controls, artists)
        for handle in self.handles:
            handle.check(self._values())
        self.update = checked(update, self.handles)
        freeze_layout(fig)
        began = time.perf_counter()
        self._html = self._record() if os.environ.get(RECORD) else None
        self._recording_seconds = time.perf_counter() - began
        self._widget = None

    def __repr__(self) -> str:
        controls = len(self.grid.controls)
        if not controls:
            return f"<Explorable {self.id}: still>"
        return f"<Explorable {self.id}: {controls} control{'s' * (controls > 1)}, {self.grid.size:,} states>"

    def show(self, state: dict) -> None:
        """Run ``update`` for one state of the controls."""
        artists_of(self.update(**state))

    def live(self) -> Live:
        """Its states, one by one, for a page with Python behind it."""
        return Live(self)

    def png(self) -> bytes:
        """The figure as it is now, at 144 dpi."""
        buffer = io.BytesIO()
        self.fig.savefig(buffer, format="png", dpi=_DPI, pil_kwargs={"compress_level": 1})
        return buffer.getvalue()

    def _values(self) -> dict:
        return {control.name: control.values[control.initial] for control in self.grid.controls}

    def _record(self) -> str:
        recording, artists, clips = record(self.fig, self.update, self.grid, self.id)
        self.show(self._values())
        return figure_html(self.fig, artists, recording, clips, self.grid, self.id, self.alt, self.caption, self.handles)

    def _live(self) -> ipywidgets.Widget:
        picture = ipywidgets.Image(value=self.png(), format="png")  # a tooltip would break its view
        picture.layout = ipywidgets.Layout(width=f"{self.fig.get_size_inches()[0] * WIDTH:.0f}px", max_width="100%")
        message = ipywidgets.HTML()
        widgets = {control.name: control.widget for control in self.grid.controls}

        def redraw(_):
            state = {name: widget.value for name, widget in widgets.items()}
            try:
                self.show(state)
                picture.value = self.png()
                message.value = ""
            except Exception as error:
                message.value = html.escape(f"update raised {type(error).__name__} at {describe(state)}: {error}")
                raise

        for control in self.grid.controls:
            _make_wide(control)
            control.widget.observe(redraw, names="value")
        alt = html.escape(alt_text(self.alt)).replace("$", "<span>$</span>")  # no formula
        unseen = f'<span style="position:absolute;clip-path:inset(50%)">{alt}</span>'
        caption = ipywidgets.HTMLMath(unseen + caption_html(self.caption))
        return ipywidgets.VBox([picture, *widgets.values(), message, caption])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict | tuple[dict, dict]:
        bundle = {"text/plain": repr(self), "image/png": self.png()}
        if self._html is not None:
            bundle["text/html"] = self._html
            return bundle, {"text/html": {SECONDS: round(self._recording_seconds, 2)}}
        if self.grid.controls:
            if self._widget is None:
                self._widget = self._live()
            # As ipywidgets 8 says it; version 7, which Colab has, displays a widget and does not say how.
            bundle[_VIEW] = {"version_major": 2, "version_minor": 0, "model_id": self._widget.model_id}
        return bundle


def _make_wide(control: Control) -> None:
    """Room for the whole description, which ipywidgets cuts off at 80 pixels."""
    control.widget.description = control.description
    control.widget.style.description_width = "initial"
    if not isinstance(control.widget, (ipywidgets.ToggleButtons, ipywidgets.Checkbox)):
        control.widget.layout.width = "min(100%, 28em)"
