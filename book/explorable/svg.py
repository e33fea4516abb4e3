"""The recorded figure as HTML: Matplotlib's own SVG with a slot for each moving artist."""

from __future__ import annotations

import base64
import io
import json
import re
from html import escape
from xml.etree import ElementTree

import matplotlib
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.text import Text

from explorable.controls import Grid
from explorable.handles import Handle
from explorable.marks import PAGE_COLORS, Mark, miter_limit, path_data
from explorable.recorder import at_dpi, placeholders, replaced, slot_id
from explorable.recording import Recording, Track

_SVG = "http://www.w3.org/2000/svg"
WIDTH = 110  # CSS pixels an inch of a figure, at most
_SCREEN = 700  # CSS pixels; a figure that is higher with its controls has them beside it where there is room
_ROW = 44  # CSS pixels of one control
_FONT_SIZE, _LEGIBLE = re.compile(r"font-size:([^;]+)"), r"font-size:max(\1,var(--explorable-least,0)*1px)"
_WIDTH_OF_STROKE = re.compile(r"stroke-width:([\d.]+)")  # left out where it is 1
_LINK = "{http://www.w3.org/1999/xlink}href"
ElementTree.register_namespace("", _SVG)


def figure_html(fig, artists, recording: Recording, clips: dict[str, str], grid: Grid,
                name: str, alt: str, caption: str, handles: tuple[Handle, ...] = (), live: bool = False) -> str:
    """``<figure class="explorable">`` with the first state, its controls and the recording.

    If it is `live`, `recording` holds one state, the first, and the page asks for the others.
    """
    first = 0 if live else grid.initial
    svg = _still_svg(fig, artists, name)
    if clips:
        defs = ElementTree.SubElement(svg, "defs")
        for content, clip in clips.items():
            clip_path = ElementTree.SubElement(defs, "clipPath", id=clip)
            clip_path.append(ElementTree.fromstring(content))
    slots = []  # in the order of the page, back to front, as the script finds them
    for group in svg.iterfind(".//*[@class='explorable-slot']"):
        slot = group.attrib.pop("id").removeprefix(slot_id(name, ""))
        group.set("data-artist", slot)  # its place in what update returns
        slots.append(slot)
        for track in recording.tracks(slot):
            group.append(_element(recording.mark(track, first), track.tag))
        _name_paths(group, artists[int(slot)], recording, recording.tracks(slot))
    pinnable = svg.find(".//*[@class='explorable-curve']") is not None or live and any(map(_may_be_curve, artists))
    width, height = fig.get_size_inches()
    with at_dpi(fig, 72):
        svg.extend(_handle_element(handle, artists, grid, height * 72) for handle in handles)
    svg.attrib.clear()
    svg.attrib.update({
        "xmlns": _SVG, "viewBox": f"0 0 {width * 72:g} {height * 72:g}", "role": "img", "aria-label": alt_text(alt),
        "style": f"max-width:{width * WIDTH:.0f}px;--explorable-width:{width * 72:g}",
    })
    rows = len(grid.controls) + 1
    tall = " data-tall" if grid.controls and height * WIDTH + rows * _ROW > _SCREEN else ""
    parts = [f'<figure class="explorable" id="{name}"{tall}>', ElementTree.tostring(svg, encoding="unicode")]
    if grid.controls:
        header = [
            {"name": control.name, "labels": control.labels, "keys": control.keys, "stride": grid.strides[control.name]}
            for control in grid.controls
        ]
        data = _live_script(header) if live else _recording_script(recording.to_bytes(slots, header))
        controls = "".join(control.html(name) for control in grid.controls)
        pin = '<button type="button" class="explorable-pin" aria-pressed="false">Pin</button>' if pinnable else ""
        pinned = '<p class="explorable-pinned" aria-live="polite"></p>' if pinnable else ""
        parts.append(
            f'<form class="explorable-controls" autocomplete="off" aria-label="Controls"><fieldset disabled>{controls}'
            f'<div class="explorable-actions"><button type="reset">Reset</button>{pin}'
            f'<a href="#{name}">Link to this setting</a></div></fieldset></form>'
            f'{pinned}<p class="explorable-hidden" role="status"></p>'
            "<noscript><p>This is the first state; the controls need JavaScript.</p></noscript>"
            + data
        )
    parts.append(f"<figcaption>{caption_html(caption)}</figcaption></figure>")
    return "\n".join(parts)


def _recording_script(data: bytes) -> str:
    return f'<script type="text/plain" class="explorable-recording">{base64.b64encode(data).decode("ascii")}</script>'


def _live_script(controls: list[dict]) -> str:
    data = json.dumps({"controls": controls}, ensure_ascii=False).replace("<", "\\u003c")  # no label ends the script
    return f'<script type="application/json" class="explorable-live">{data}</script>'


def alt_text(alt: str) -> str:
    """The text alternative, in which ``\\$`` is a dollar as it is in a caption."""
    return alt.replace("\\$", "$")


def caption_html(caption: str) -> str:
    """The caption, escaped; ``$…$`` is left to the page's MathJax, ``\\$`` is a dollar."""
    pieces = re.split(r"(?<!\\)\$((?:\\.|[^$\\])+)\$", caption)
    return "".join(
        escape(alt_text(piece), quote=False).replace("$", "<span>$</span>") if i % 2 == 0  # no MathJax takes that for a formula
        else f'<span class="math notranslate nohighlight">\\({escape(piece, quote=False)}\\)</span>'
        for i, piece in enumerate(pieces)
    )


def _vectors(fig, artists) -> list[tuple]:
    """Changes, for `replaced`, that leave the artists, and what they are in, out of what is rasterized."""
    moving = set(artists)
    changes = []
    for ax in fig.findobj(Axes):
        below = ax.get_rasterization_zorder()
        if below is not None:
            changes += [(child, "_rasterized", True) for child in ax.get_children() if child.get_zorder() < below]
            changes.append((ax, "_rasterization_zorder", None))
    return changes + [(artist, "_rasterized", False) for artist in fig.findobj() if not moving.isdisjoint(artist.findobj())]


def _still_svg(fig, artists, name: str) -> ElementTree.Element:
    buffer = io.BytesIO()
    options = {"svg.fonttype": "path", "svg.hashsalt": name, "image.composite_image": False, "savefig.bbox": None}
    texts = {f"{name}-text-{i}": text for i, text in enumerate(fig.findobj(Text))}
    gids = [*((artist, "_gid", None) for artist in fig.findobj()), *((text, "_gid", key) for key, text in texts.items())]
    changes = [*gids, *_vectors(fig, artists)]
    with matplotlib.rc_context(options), placeholders(artists, name), replaced(changes), at_dpi(fig, 72):
        fig.savefig(buffer, format="svg", facecolor="auto", edgecolor="auto",
                    metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
        svg = ElementTree.fromstring(buffer.getvalue())
        groups = {element.get("id"): element for element in svg.iter()}  # of an annotation's two groups the inner one
        for key in texts.keys() & groups.keys():
            groups[key].set("class", "explorable-text")
            groups[key].set("style", f"--explorable-size:{texts[key].get_fontsize():g};{_anchor(texts[key], fig.bbox.height)}")
    _tidy(svg)
    _own_ids(svg, name)
    return svg


def _anchor(text: Text, height: float) -> str:
    """From where a still text grows where it would be too small to read: the point that it is aligned to."""
    if hasattr(text, "get_position_3d"):  # its place on the page is known only while it is drawn
        return "transform-box:fill-box;transform-origin:center"
    x, y = text.get_transform().transform(text.get_unitless_position())
    return f"transform-origin:{x:.1f}px {height - y:.1f}px"


def _may_be_curve(artist) -> bool:
    """Whether it may draw, in some state, what `_name_paths` calls a curve."""
    return not artist.findobj(Text) and not isinstance(artist, AxesImage)


def _name_paths(group, artist, recording: Recording, tracks: list[Track]) -> None:
    """Tell curves, which can be pinned, from formulas, which grow where they would be too small to read."""
    texts = artist.findobj(Text)
    if texts:
        size = min(text.get_fontsize() for text in texts)
        group.set("style", f"--explorable-size:{size:g};--explorable-origin:{_origin(artist)}")
    for element, track in zip(group, tracks):
        if track.tag in ("path", "g") and not texts:
            element.set("class", "explorable-curve")
        elif track.tag == "path" and recording.mark(track, track.style.argmax()).body.startswith("stamp:"):
            element.set("class", "explorable-formula")


def _origin(artist) -> str:
    """From where a formula that moves grows, as CSS names sides of a box."""
    if not isinstance(artist, Text) or artist.get_rotation():
        return "center"
    upwards = {"baseline": "bottom", "center_baseline": "center"}.get(artist.get_verticalalignment(), artist.get_verticalalignment())
    return f"{artist.get_horizontalalignment()} {upwards}"


def _handle_element(handle: Handle, artists, grid: Grid, height: float) -> ElementTree.Element:
    """A target of 44 CSS pixels and a ring, which the script puts where the point of the handle is; `fig.dpi` is 72."""
    controls = {control.name: control for control in grid.controls}
    element = ElementTree.Element("g", {
        "class": "explorable-handle", "aria-hidden": "true", "style": "visibility:hidden", "data-artist": str(artists.index(handle.point))})
    for axis, name in handle.names.items():
        element.set(f"data-{axis}", name)
        places = handle.places(axis, controls[name])
        element.set(f"data-{axis}-places", " ".join(f"{place if axis == 'x' else height - place:.1f}" for place in places))
    for part in ("ring", "target"):
        ElementTree.SubElement(element, "path", {"class": f"explorable-{part}", "d": "M0 0h.01"})
    return element


def _tidy(svg) -> None:
    """Use the page's colours, short numbers and names without a namespace."""
    for parent in list(svg.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}style", f"{{{_SVG}}}metadata"):
                parent.remove(child)
    for element in svg.iter():
        element.tag = element.tag.removeprefix(f"{{{_SVG}}}")
        element.text = element.tail = None
        if _LINK in element.attrib:
            element.set("href", element.attrib.pop(_LINK))
        if element.tag == "image":
            element.attrib.pop("opacity", None)  # it is in the pixels, too
        if "style" in element.attrib:
            style = element.get("style").replace("; ", ";").replace(": ", ":")
            if "stroke-linejoin:miter" in style:
                width = _WIDTH_OF_STROKE.search(style)
                style += f";stroke-miterlimit:{miter_limit(float(width[1]) if width else 1.0):.4g}"
            for color, page_color in PAGE_COLORS.items():
                style = style.replace(color, page_color)
            element.set("style", style)
        if "d" in element.attrib:
            d = " ".join(element.get("d").split())
            element.set("d", re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.3f}".rstrip("0").rstrip("."), d))


def _own_ids(svg, name: str) -> None:
    """Prefix the ids that something refers to, drop the rest: ids are global on a page."""
    text = ElementTree.tostring(svg, encoding="unicode")
    used = set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', text))
    used = {a or b for a, b in used}
    for element in svg.iter():
        own = element.get("id", "")
        if own in used:
            element.set("id", f"{name}-{own}")
        elif own.startswith(slot_id(name, "")):
            element.set("class", "explorable-slot")
        elif own:
            del element.attrib["id"]
        for attribute, value in list(element.attrib.items()):
            if attribute == "href" and value.startswith("#"):
                element.set(attribute, f"#{name}-{value[1:]}")
            else:
                element.set(attribute, re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", element.get(attribute)))


def _element(mark: Mark | None, tag: str) -> ElementTree.Element:
    """What `static/explorable.js` would make of a mark."""
    element = ElementTree.Element(tag)
    if mark is None:
        element.set("style", "display:none")
        return element
    element.set("style", _FONT_SIZE.sub(_LEGIBLE, mark.style))
    kind, _, rest = mark.body.partition(":")
    x, y = (f"{value:g}" for value in mark.points[0])
    if tag == "g":
        for px, py in mark.points:
            ElementTree.SubElement(element, "path", d=f"M{px:g} {py:g}{rest}")
    elif tag == "path":
        if kind == "codes":
            element.set("d", path_data(rest, mark.points))
        else:
            element.set("d", "".join(f"M{px:g} {py:g}{rest}" for px, py in mark.points))
    elif tag == "text":
        element.set("x", x)
        element.set("y", y)
        if kind != "0":
            element.set("transform", f"rotate({kind} {x} {y})")
        element.text = rest
    else:
        width, height = kind.split(",")
        element.attrib.update(x=x, y=y, width=width, height=height, preserveAspectRatio="none",
                              href=f"data:image/png;base64,{rest}")
    return element
