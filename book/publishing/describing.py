"""What a page tells search engines and those who share its address: a description, a picture, what it teaches."""

from __future__ import annotations

import base64
import io
import json
import re
from html import escape
from pathlib import Path

from docutils import nodes
from PIL import Image

SIZE = 1200, 630  # pixels of a picture that is shown beside a shared address
_MARGIN = 30
_LONGEST = 200  # characters of a description
_FORMULA = "\ufffc"  # stands for one
_LICENSE = "https://creativecommons.org/licenses/by/4.0/"
_SENTENCE = re.compile(r"(?<=[.?!])\s+(?=[A-Z\"“*])")
_GOAL = re.compile(r"^\| \[\d+\]\((\w+)\.ipynb\) \| ([^|]+) \|", re.MULTILINE)


def description(doctree) -> str:
    """The first sentences of a page's prose: up to 200 characters, none with a formula or with a colon at its end; "" if it has no prose."""
    for section in doctree.findall(nodes.section):
        for paragraph in section.children:
            if isinstance(paragraph, nodes.paragraph) and paragraph.astext().strip():
                return _first_sentences(paragraph)
    return ""


def _first_sentences(paragraph) -> str:
    copy = paragraph.deepcopy()
    for formula in list(copy.findall(lambda node: isinstance(node, (nodes.math, nodes.image)))):
        formula.parent.replace(formula, nodes.Text(_FORMULA))
    sentences = _SENTENCE.split(" ".join(copy.astext().split()))
    kept = ""
    for sentence in sentences:
        longer = f"{kept} {sentence}".strip()
        if _FORMULA in sentence or sentence.endswith(":") or len(longer) > _LONGEST:
            break
        kept = longer
    if kept:
        return kept
    words = " ".join(paragraph.astext().split()).rstrip(":")
    return words if len(words) <= _LONGEST else words[:_LONGEST - 2].rpartition(" ")[0] + " …"


def goals(course: Path) -> dict[str, list[str]]:
    """Chapter -> what a student can after it, from the table of the page "Plan a course"; empty without that page."""
    if not course.exists():
        return {}
    return {name: [re.sub(r"[$`]", "", goal).strip() for goal in told.split(";")]
            for name, told in _GOAL.findall(course.read_text(encoding="utf-8"))}


def linked_data(*, title: str, about: str, teaches: list[str], book: str, author: str, version: str, language: str, address: str, home: str) -> str:
    """A chapter as a LearningResource of schema.org, in a script that browsers do not run."""
    whole = {"@type": "Book", "name": book} | ({"url": home} if home else {})
    told = {"@context": "https://schema.org", "@type": "LearningResource", "name": title, "description": about, "inLanguage": language,
            "educationalLevel": "undergraduate", "teaches": teaches, "isPartOf": whole, "author": {"@type": "Organization", "name": author},
            "license": _LICENSE, "version": version} | ({"url": address} if address else {})
    text = json.dumps({key: value for key, value in told.items() if value}, ensure_ascii=False, separators=(",", ":"))
    return f'<script type="application/ld+json">{text.replace("<", chr(92) + "u003c")}</script>\n'


def tags(properties: dict[str, str]) -> str:
    """The <meta> elements of a page: a name with a colon is a property of Open Graph; what is "" is left out."""
    return "".join(f'<meta {"property" if name.startswith(("og:", "article:")) else "name"}="{name}" content="{escape(value)}">\n'
                   for name, value in properties.items() if value)


def stored_picture(notebook: Path) -> bytes | None:
    """The first PNG among the outputs that a notebook stores."""
    if notebook.suffix != ".ipynb":
        return None
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        for output in cell.get("outputs", ()):
            if png := output.get("data", {}).get("image/png"):
                return base64.b64decode("".join(png))
    return None


def card(png: bytes) -> bytes:
    """A picture as large as it can be on a white ground of 1200 x 630 pixels."""
    picture = Image.open(io.BytesIO(png)).convert("RGBA")
    scale = min((whole - 2 * _MARGIN) / part for whole, part in zip(SIZE, picture.size))
    picture = picture.resize([max(1, round(scale * part)) for part in picture.size], Image.Resampling.LANCZOS)
    ground = Image.new("RGB", SIZE, "white")
    ground.paste(picture, [(whole - part) // 2 for whole, part in zip(SIZE, picture.size)], picture)
    buffer = io.BytesIO()
    ground.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
