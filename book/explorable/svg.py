"""The recorded figure as HTML: Matplotlib's own SVG with a slot for each moving artist."""

from __future__ import annotations

import base64
import io
import re
from html import escape
from xml.etree import ElementTree

import matplotlib

from explorable.controls import Grid
from explorable.marks import PAGE_COLORS, Mark, path_data
from explorable.recorder import placeholders, slot_id
from explorable.recording import Recording

_SVG = "http://www.w3.org/2000/svg"
WIDTH = 110  # CSS pixels an inch of a figure, at most
_LINK = "{http://www.w3.org/1999/xlink}href"
ElementTree.register_namespace("", _SVG)


def figure_html(fig, artists, recording: Recording, clips: dict[str, str], grid: Grid,
                name: str, alt: str, caption: str) -> str:
    """``<figure class="explorable">`` with the first state, its controls and the recording."""
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
            group.append(_element(recording.mark(track, grid.initial), track.tag))
    width, height = fig.get_size_inches()
    svg.attrib.clear()
    svg.attrib.update({
        "xmlns": _SVG, "viewBox": f"0 0 {width * 72:g} {height * 72:g}", "role": "img", "aria-label": alt,
        "style": f"max-width:{width * WIDTH:.0f}px",
    })
    parts = [f'<figure class="explorable" id="{name}">', ElementTree.tostring(svg, encoding="unicode")]
    if grid.controls:
        header = [
            {"name": control.name, "labels": control.labels, "keys": control.keys, "stride": grid.strides[control.name]}
            for control in grid.controls
        ]
        data = base64.b64encode(recording.to_bytes(slots, header)).decode("ascii")
        controls = "".join(control.html(name) for control in grid.controls)
        parts.append(
            f'<form class="explorable-controls" autocomplete="off" aria-label="Controls"><fieldset disabled>{controls}'
            '<div class="explorable-actions"><button type="reset">Reset</button>'
            f'<a href="#{name}">Link to this setting</a></div></fieldset></form>'
            '<p class="explorable-hidden" role="status"></p>'
            "<noscript><p>This is the first state; the controls need JavaScript.</p></noscript>"
            f'<script type="text/plain" class="explorable-recording">{data}</script>'
        )
    parts.append(f"<figcaption>{caption_html(caption)}</figcaption></figure>")
    return "\n".join(parts)


def caption_html(caption: str) -> str:
    """The caption, escaped; ``$…$`` is left to the page's MathJax."""
    pieces = re.split(r"\$([^$]+)\$", caption)
    return "".join(
        escape(piece, quote=False) if i % 2 == 0
        else f'<span class="math notranslate nohighlight">\\({escape(piece, quote=False)}\\)</span>'
        for i, piece in enumerate(pieces)
    )


def _still_svg(fig, artists, name: str) -> ElementTree.Element:
    buffer = io.BytesIO()
    options = {"svg.fonttype": "path", "svg.hashsalt": name, "image.composite_image": False, "savefig.bbox": None}
    with matplotlib.rc_context(options), placeholders(artists, name):
        fig.savefig(buffer, format="svg", facecolor="auto", edgecolor="auto",
                    metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = ElementTree.fromstring(buffer.getvalue())
    _tidy(svg)
    _own_ids(svg, name)
    return svg


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
    element.set("style", mark.style)
    kind, _, rest = mark.body.partition(":")
    x, y = (f"{value:g}" for value in mark.points[0])
    if tag == "path":
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
