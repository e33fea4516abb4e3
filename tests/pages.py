"""Reads and moves explorables on a page in a browser, and judges what the page did.

Coordinates are SVG units of the figure (points, y downwards), as in the page.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np

# Sets one control and dispatches `input`, as a reader's hand does.
SET_CONTROL = """
(figure, name, value) => {
  const inputs = [...figure.querySelectorAll(`.explorable-controls [name="${name}"]`)];
  if (!inputs.length) throw new Error(`${figure.id} has no control ${name}`);
  let [input] = inputs;
  if (input.matches(":disabled")) throw new Error(`${figure.id}: the control ${name} is disabled`);
  if (input.type === "checkbox") input.checked = value;
  else if (input.type === "radio") {
    input = inputs.find((radio) => radio.value === value);
    if (!input) throw new Error(`${figure.id}: ${name} has no choice ${value}`);
    input.checked = true;
  } else {
    input.value = value;
    const took = input.type === "range" ? Math.abs(input.value - value) < 1e-9 : input.value === value;
    if (!took) throw new Error(`${figure.id}: ${name} cannot be ${value}; it became ${input.value}`);
  }
  input.dispatchEvent(new Event("input", { bubbles: true }));
}
"""

# All values that a control can take, as SET_CONTROL wants them.
_VALUES = """
(figure, name) => {
  const inputs = [...figure.querySelectorAll(`.explorable-controls [name="${name}"]`)];
  const [input] = inputs;
  if (input.type === "checkbox") return [false, true];
  if (input.type === "radio") return inputs.map((radio) => radio.value);
  if (input.tagName === "SELECT") return [...input.options].map((option) => option.value);
  const [low, high, step] = [input.min, input.max, input.step].map(Number);
  return Array.from({ length: Math.round((high - low) / step) + 1 }, (_, i) => Number((low + i * step).toPrecision(12)));
}
"""


class Message(NamedTuple):
    """What a page said: on its console, or by an uncaught exception (kind "pageerror")."""

    kind: str
    text: str
    url: str = ""


# For `page.evaluate`: of every text of every explorable, what it says, its kind, and how many CSS pixels its font is high.
# Still ones and formulas are outlines, of a font 100 units high.
FONTS = """() => {
  const size = (e, units) => { const { a, b } = e.getScreenCTM(); return Math.hypot(a, b) * units; };
  return [...document.querySelectorAll("figure.explorable > svg")].flatMap((svg) => [
    ...[...svg.querySelectorAll("g[transform*='scale(']")].map((e) => [e.closest("figure").id, "outline", size(e, 100)]),
    ...[...svg.querySelectorAll("text")].map((e) => [e.textContent, "text", size(e, parseFloat(getComputedStyle(e).fontSize))]),
    ...[...svg.querySelectorAll(".explorable-slot[style*='-size:'] > path:not([style='display:none'])")].map((e) =>
      ["formula", "formula", size(e, parseFloat(getComputedStyle(e).getPropertyValue("--explorable-size")))]),
  ]);
}"""


def watch(page) -> None:
    """Keep what `page` says in ``page.messages`` and what it asks for in ``page.requests``."""
    page.messages, page.requests = [], []
    page.on("console", lambda m: page.messages.append(Message(m.type, m.text, m.location.get("url", ""))))
    page.on("pageerror", lambda error: page.messages.append(Message("pageerror", str(error))))
    page.on("request", lambda request: page.requests.append(request.url))


def foreign_requests(requests: list[str]) -> list[str]:
    """The requests that went to another machine."""
    def foreign(url):
        parts = urlsplit(url)
        here = ("127.0.0.1", "localhost", None) if parts.scheme == "file" else ("127.0.0.1", "localhost")
        return parts.scheme not in ("data", "blob", "about") and parts.hostname not in here

    return [url for url in requests if foreign(url)]


def console_errors(messages: list[Message]) -> list[str]:
    """Errors and warnings of a page, but for two that the theme makes.

    At a first visit it finds no stored colour mode and says so; and under
    ``file://`` the browser refuses its icon fonts.
    """
    def tolerated(message):
        if re.match(r"Got invalid theme mode", message.text):
            return True
        font = re.search(r"file://\S+\.(woff2?|ttf)\b", f"{message.text} {message.url}")
        return bool(font) and message.text.startswith(
            ("Access to font at", "Failed to load resource: net::ERR_FAILED", "A preload for"))

    return [
        f"{message.kind}: {message.text}" for message in messages
        if message.kind in ("error", "warning", "pageerror") and not tolerated(message)
    ]


def ready(page, figure_id: str):
    """The figure, once its controls work; a dead one times out."""
    figure = page.locator(f"figure.explorable[id='{figure_id}']")
    page.locator(f"figure.explorable[id='{figure_id}'][data-ready]").wait_for(state="attached", timeout=10_000)
    return figure


def set_control(page, figure_id: str, name: str, value) -> None:
    """Set a control as the reader would.

    `value` is what the native control takes: a number for a slider (the
    exponent of a logarithmic one, the place of the option of a selection
    slider), the label of an option or a button, True or False for a box.

    Raises
    ------
    playwright Error : no such control, it is disabled, or cannot take `value`.
    """
    figure = page.locator(f"figure.explorable[id='{figure_id}']")
    figure.evaluate(f"(figure, [name, value]) => ({SET_CONTROL})(figure, name, value)", [name, value])


def show(page, figure_id: str, state: dict) -> dict[int, dict]:
    """Set several controls (name -> value); by artist, what is then to be seen: its text, and the ``d`` of its path or None."""
    figure = page.locator(f"figure.explorable[id='{figure_id}']")
    slots = figure.evaluate(f"""(figure, state) => {{
      for (const [name, value] of state) ({SET_CONTROL})(figure, name, value);
      return [...figure.querySelectorAll(".explorable-slot")].map((slot) => {{
        const seen = (element) => element && element.style.display !== "none";
        const path = slot.querySelector(":scope > path");
        return [Number(slot.dataset.artist), {{
          text: [...slot.children].filter(seen).map((child) => child.textContent).join(""),
          d: seen(path) ? path.getAttribute("d") : null,
        }}];
      }});
    }}""", list(state.items()))
    return dict(slots)


def control_values(page, figure_id: str, name: str) -> list:
    """Every value that `set_control` can give a control."""
    figure = page.locator(f"figure.explorable[id='{figure_id}']")
    return figure.evaluate(f"(figure, name) => ({_VALUES})(figure, name)", name)


def picture(page, figure_id: str) -> str:
    """The SVG of a figure, as text, without what is hidden in the present state."""
    return page.locator(f"figure.explorable[id='{figure_id}'] > svg").evaluate("""(svg) => {
      const copy = svg.cloneNode(true);
      copy.querySelectorAll('[style="display:none"]').forEach((hidden) => hidden.remove());
      return copy.outerHTML;
    }""")


def assert_moves(page, figure_id: str, name: str) -> None:
    """Fail unless some value of a control changes the picture."""
    before = picture(page, figure_id)
    for value in control_values(page, figure_id, name):
        set_control(page, figure_id, name, value)
        if picture(page, figure_id) != before:
            return
    raise AssertionError(f"{figure_id}: no value of {name} changes the picture")


def parse_path(d: str) -> list[np.ndarray]:
    """The vertices of a ``d`` attribute: one (n, 2) array for each unbroken piece.

    Curves count with the points that they pass through; a closed piece ends
    where it began. Understands M, L, Q, C and Z, absolute and relative.
    """
    size = {"M": 2, "L": 2, "Q": 4, "C": 6, "Z": 0}
    pieces, here = [], np.zeros(2)
    for letter, rest in re.findall(r"([MLQCZmlqcz])([^MLQCZmlqcz]*)", d):
        numbers = np.array([float(n) for n in re.findall(r"-?\d*\.?\d+(?:e-?\d+)?", rest)])
        if letter in "Zz":
            pieces[-1].append(pieces[-1][0])
            here = pieces[-1][0]
            continue
        for i, step in enumerate(numbers.reshape(-1, size[letter.upper()])):
            here = step[-2:] + (here if letter.islower() else 0)
            if letter in "Mm" and i == 0:
                if pieces and len(pieces[-1]) == 1:
                    pieces.pop()  # a move after a move draws nothing
                pieces.append([here])
            else:
                pieces[-1].append(here)
    return [np.array(piece) for piece in pieces]


def parse_markers(d: str) -> np.ndarray:
    """Where the ``d`` of a path of markers puts them: an (n, 2) array."""
    return np.array(re.findall(r"M(-?[\d.]+) (-?[\d.]+)", d), float).reshape(-1, 2)


def assert_curve(element, expected, tolerance: float = 0.11) -> None:
    """Fail unless a ``<path>`` goes through `expected`: a list of (n, 2) arrays, one for each piece."""
    pieces = parse_path(element.get_attribute("d"))
    assert len(pieces) == len(expected), f"{len(pieces)} pieces; expected {len(expected)}"
    for piece, wanted in zip(pieces, expected):
        assert piece.shape == np.shape(wanted), f"{len(piece)} points; expected {len(wanted)}"
        furthest = np.abs(piece - wanted).max()
        assert furthest <= tolerance, f"the curve is {furthest:.2f} units from where it belongs"
