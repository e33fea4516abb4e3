"""What Matplotlib draws, as marks: paths, stamps, texts and images in SVG points.

`MarkRenderer` is a Matplotlib renderer that keeps what an artist asks it to
draw instead of drawing it. Coordinates are SVG user units: points (1/72 inch),
y downwards.
"""

from __future__ import annotations

import base64
import functools
import inspect
import io
import itertools
import os
import re
import unicodedata
from typing import NamedTuple

import numpy as np
from matplotlib import get_data_path
from matplotlib.backend_bases import RendererBase
from matplotlib.colors import rgb2hex, to_rgba
from matplotlib.font_manager import findfont, get_font
from matplotlib.path import Path
from matplotlib.transforms import Affine2D, Bbox
from PIL import Image

_MARGIN = 10  # points kept beyond what is visible, so that no line end shows
_FURTHEST = 3000  # points; recorded coordinates are 16-bit tenths of a point
_LETTERS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C", Path.CLOSEPOLY: "Z"}
_VERTICES_PER_LETTER = {"M": 1, "L": 1, "Q": 2, "C": 3, "Z": 0}
_HATCHES = "hatchcolors" in inspect.signature(RendererBase._iter_collection).parameters  # from Matplotlib 3.11 on
_SCALE = 2  # pixels a point of the picture that the page should equal
# Black and white stand for the page's text and background.
PAGE_COLORS = {"#000000": "currentColor", "#ffffff": "var(--explorable-page)"}
# The fonts that the page has, and what asks for them; a text in another one is drawn as an outline.
_FACES = {
    "DejaVuSans.ttf": [],
    "DejaVuSans-Bold.ttf": ["font-weight:700"],
    "DejaVuSans-Oblique.ttf": ["font-style:italic"],
    "DejaVuSans-BoldOblique.ttf": ["font-weight:700", "font-style:italic"],
}


class Mark(NamedTuple):
    """One thing drawn.

    Attributes
    ----------
    tag : "path", "text" or "image", the SVG element that shows it; "g" for
        stamps that are painted one by one; "slot" for the place of a moving
        artist, whose id is then the body; "refused" for what cannot be
        recorded and stands still.
    style : its CSS declarations.
    body : for a path, "codes:" and the run-length coded path commands, or
        "stamp:" and a relative path to put down at each point; for a text,
        its rotation in degrees, a colon and the text; for an image, its width
        and height, a colon and its PNG as base64.
    points : (n, 2) array, SVG points.
    """

    tag: str
    style: str
    body: str
    points: np.ndarray


class MarkRenderer(RendererBase):
    """Collects marks for a canvas of `width` by `height` points (72 dpi).

    Parameters
    ----------
    clip_prefix : start of the ids given to clip paths; `clips` maps the SVG
        content of each to its id.
    strict : whether to raise NotImplementedError when an artist draws what a
        recording cannot hold (hatches, sketches, gouraud shading, meshes, TeX),
        or to leave that out.
    scale : the pixels a point of a figure that is drawn at another dpi than
        72, for which the marks should be the same.
    """

    def __init__(self, width: float, height: float, clip_prefix: str = "clip", strict: bool = True, scale: int = 1):
        super().__init__()
        self.width, self.height, self.scale = width, height, scale
        self.dpi = 72 * scale  # figimage asks
        self.clip_prefix, self.strict = clip_prefix, strict
        self.marks: list[Mark] = []
        self.clips: dict[str, str] = {}
        self._flip = Affine2D().scale(1 / scale, -1 / scale).translate(0, height)
        self._clip_styles: dict[tuple, str] = {}
        self._text_sizes: dict[tuple, tuple] = {}
        self._plain = RendererBase()  # measures in points

    def take(self, artist) -> list[Mark]:
        """The marks of one artist."""
        self.marks = []
        artist.draw(self)
        return self.marks

    # What Matplotlib asks of a renderer ------------------------------------

    def open_group(self, s, gid=None):
        if s == "slot":  # the place of a moving artist
            self.marks.append(Mark("slot", "", gid, np.empty((0, 2))))

    def start_filter(self):
        raise NotImplementedError("an agg_filter cannot be recorded: SVG has none")

    def get_canvas_width_height(self):
        return self.width * self.scale, self.height * self.scale

    def points_to_pixels(self, points):
        return points * self.scale

    def get_text_width_height_descent(self, s, prop, ismath):
        """Measured once: a text is measured for its layout and again when it is drawn, in many states."""
        key = s, prop, ismath
        if key not in self._text_sizes:
            sizes = self._plain.get_text_width_height_descent(s, prop, ismath)
            self._text_sizes[s, prop.copy(), ismath] = tuple(size * self.scale for size in sizes)
        return self._text_sizes[key]

    def get_image_magnification(self):
        return _SCALE / self.scale

    def option_image_nocomposite(self):
        return True

    def draw_path(self, gc, path, transform, rgbFace=None):
        self._add_path(path, transform, self._style(gc, rgbFace), self._window(gc), rgbFace is not None)

    def draw_markers(self, gc, marker_path, marker_trans, path, trans, rgbFace=None):
        moves = trans.transform(path.vertices)
        if len(moves) == 1 and not moves.any():  # how a collection of one path in one colour draws itself
            self.draw_path(gc, marker_path, marker_trans, rgbFace)
            return
        points = self._flip.transform(moves)
        self._add_stamp(self._in_points(marker_path, marker_trans), points, self._style(gc, rgbFace), self._window(gc))

    def draw_path_collection(self, gc, master_transform, paths, all_transforms, offsets, offset_trans,
                             facecolors, edgecolors, linewidths, linestyles, antialiaseds, urls,
                             offset_position, *, hatchcolors=None):
        count = max(len(paths), len(offsets))  # sizes beyond it draw nothing
        shapes = list(itertools.islice(self._iter_collection_raw_paths(master_transform, paths, all_transforms), count))
        window = self._window(gc)
        hatches = {"hatchcolors": [] if hatchcolors is None else hatchcolors} if _HATCHES else {}
        drawn = [
            ((shape, self._style(gc0, face), face is not None), (x, y))
            for x, y, shape, gc0, face in self._iter_collection(
                gc, range(len(shapes)), offsets, offset_trans, facecolors, edgecolors, linewidths,
                linestyles, antialiaseds, urls, offset_position, **hatches)
        ]
        for (shape, style, filled), group in itertools.groupby(drawn, key=lambda item: item[0]):
            path, transform = shapes[shape]
            moves = np.array([move for _, move in group])
            if moves.any():
                self._add_stamp(self._in_points(path, transform), self._flip.transform(moves), style, window)
            else:
                self._add_path(path, transform, style, window, filled)

    def draw_text(self, gc, x, y, s, prop, angle, ismath=False, mtext=None):
        if not s:
            return
        if ismath == "TeX":
            return self._refuse("text.usetex=True cannot be recorded; use mathtext ($…$) instead")
        shaping = _shaping(mtext)
        face = _FACES.get(os.path.basename(findfont(prop)))
        if ismath or face is None or shaping or not _is_plain(s) or (angle and self._clip(gc)):  # SVG would turn the clip, too
            return self._draw_outline(gc, x, y, s, prop, angle, ismath, shaping)
        anchor = mtext.get_horizontalalignment() if mtext is not None else "left"
        width, _, _ = self.get_text_width_height_descent(s, prop, ismath)
        along = {"left": 0.0, "center": 0.5, "right": 1.0}[anchor] * width
        radians = np.deg2rad(angle)
        point = np.array([(x + along * np.cos(radians), y - along * np.sin(radians))]) / self.scale
        if np.abs(point).max() > _FURTHEST:
            return
        style = [self._clip(gc), *_paint(tuple(gc.get_rgb()), "fill", gc.get_rgb()[3])]
        style.append(f"font-size:{prop.get_size_in_points():.4g}px")
        style += face
        if anchor != "left":
            style.append("text-anchor:" + {"center": "middle", "right": "end"}[anchor])
        css = ";".join(filter(None, style))
        self.marks.append(Mark("text", css, f"{-angle % 360:.4g}:{s}", point))

    def draw_tex(self, gc, x, y, s, prop, angle, *, mtext=None):
        self.draw_text(gc, x, y, s, prop, angle, ismath="TeX", mtext=mtext)

    def draw_image(self, gc, x, y, im, transform=None):
        if not im.size:
            return
        height, width = np.array(im.shape[:2]) / _SCALE
        buffer = io.BytesIO()
        Image.fromarray(im[::-1]).save(buffer, format="png", optimize=True)
        data = base64.b64encode(buffer.getvalue()).decode("ascii")
        top_left = np.array([(x / self.scale, self.height - y / self.scale - height)])
        self.marks.append(Mark("image", self._clip(gc), f"{width:.4g},{height:.4g}:{data}", top_left))  # alpha is in the pixels

    def draw_gouraud_triangles(self, gc, triangles_array, colors_array, transform):
        self._refuse("gouraud shading cannot be recorded; use shading='nearest' or an image", triangles_array, colors_array)

    def draw_quad_mesh(self, gc, master_transform, mesh_width, mesh_height, coordinates, offsets, offset_trans,
                       facecolors, antialiased, edgecolors):
        self._refuse("a QuadMesh (pcolormesh) cannot be recorded; use imshow instead", coordinates, facecolors, edgecolors)

    # How the marks are made -------------------------------------------------

    def _refuse(self, why: str, *arrays) -> None:
        """Raise, or else leave a mark that tells only whether the drawing changed."""
        if self.strict:
            raise NotImplementedError(why)
        drawn = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
        self.marks.append(Mark("refused", why, str(hash(drawn)), np.empty((0, 2))))

    def _to_svg(self, transform):
        """An affine transform, and then to SVG points."""
        return Affine2D(np.dot(self._flip.get_matrix(), transform.get_matrix()))

    def _in_points(self, path, transform):
        return path.transformed(transform + Affine2D().scale(1 / self.scale))

    def _draw_outline(self, gc, x, y, s, prop, angle, ismath, shaping):
        """Mathtext, or a text that the page could not show as a text: its outline, put down at the point (x, y)."""
        vertices, codes = self._text2path.get_text_path(prop, s, ismath=ismath, **shaping)
        scale = prop.get_size_in_points() / self._text2path.FONT_SCALE
        outline = Path(vertices, codes).transformed(Affine2D().scale(scale).rotate_deg(angle))
        gc.set_linewidth(0.0)
        self._add_stamp(outline, np.array([(x, y)]) / self.scale, self._style(gc, gc.get_rgb()), self._window(gc))

    def _add_path(self, path, transform, style, window, filled):
        try:
            visible = _visible_part(path, self._to_svg(transform), window, filled)
        except NotImplementedError as error:
            return self._refuse(str(error), path.vertices)
        body, points = _commands(visible)
        if body:
            self.marks.append(Mark("path", style, "codes:" + body, points))

    def _add_stamp(self, shape, points, style, window):
        points = points[np.isfinite(points).all(axis=1)]
        body = _relative_path(shape)
        low, high = window.get_points()
        reach = np.abs(shape.vertices).max() if len(shape.vertices) else 0.0  # how far a stamp sticks out
        points = points[((points >= low - reach) & (points <= high + reach)).all(axis=1)]
        if len(points):
            together = len(points) == 1 or _is_one_paint(style)
            self.marks.append(Mark("path" if together else "g", style, "stamp:" + body, points))

    def _window(self, gc):
        """What can be seen of a path, with a margin: the clip rectangle or the canvas.

        Of a dashed line all that Agg draws, whose dashes start anew where it cuts the line.
        """
        bounds = gc.get_clip_rectangle()
        if gc.get_dashes()[1] is not None:
            inset = 1 - 1 / _SCALE  # Agg goes one of its pixels beyond, `Path.cleaned` one of ours
            return Bbox([[inset, inset], [self.width - inset, self.height - inset]])
        if bounds is None:
            x0, y0, x1, y1 = 0, 0, self.width, self.height
        else:
            (x0, y1), (x1, y0) = self._flip.transform(bounds.get_points())
        width = gc.get_linewidth()
        margin = max(_MARGIN, width / 2 * (miter_limit(width) if gc.get_joinstyle() == "miter" else 2))
        return Bbox([[x0 - margin, y0 - margin], [x1 + margin, y1 + margin]])

    def _clip(self, gc):
        path, transform = gc.get_clip_path()
        rectangle = gc.get_clip_rectangle()
        if path is not None:
            body, points = _commands(path.transformed(self._to_svg(transform)))
            return self._clip_style(f'<path d="{path_data(body, points)}"/>')
        if rectangle is None:
            return ""
        bounds = rectangle.bounds
        if bounds not in self._clip_styles:
            x, y, w, h = (value / self.scale for value in bounds)
            self._clip_styles[bounds] = self._clip_style(
                f'<rect x="{x:.4f}" y="{self.height - y - h:.4f}" width="{w:.4f}" height="{h:.4f}"/>')
        return self._clip_styles[bounds]

    def _clip_style(self, content):
        name = self.clips.setdefault(content, f"{self.clip_prefix}{len(self.clips)}")
        return f"clip-path:url(#{name})"

    def _style(self, gc, rgbFace):
        """CSS for a path, as Matplotlib's own SVG backend writes it."""
        if gc.get_hatch() is not None:
            look = gc.get_hatch_linewidth(), *to_rgba(gc.get_hatch_color())
            self._refuse(f"a hatch ({gc.get_hatch()}) cannot be recorded; use a colour or an edge instead", look)
        if gc.get_sketch_params() is not None:
            self._refuse("sketch parameters (xkcd style) cannot be recorded", gc.get_sketch_params())
        forced = gc.get_alpha() if gc.get_forced_alpha() else None
        style = [self._clip(gc)]
        if rgbFace is None:
            style.append("fill:none")
        else:
            style += _paint(tuple(rgbFace), "fill", forced if forced is not None else _alpha(rgbFace))
        if gc.get_linewidth():
            rgb = gc.get_rgb()
            style += _paint(tuple(rgb), "stroke", forced if forced is not None else _alpha(rgb))
            style.append(f"stroke-width:{gc.get_linewidth():.4g}")
            style.append(f"stroke-linejoin:{gc.get_joinstyle()}")
            if gc.get_joinstyle() == "miter":
                style.append(f"stroke-miterlimit:{miter_limit(gc.get_linewidth()):.4g}")
            style.append("stroke-linecap:" + {"projecting": "square"}.get(gc.get_capstyle(), gc.get_capstyle()))
            offset, dashes = gc.get_dashes()
            if dashes is not None:
                style.append("stroke-dasharray:" + ",".join(f"{dash:.4g}" for dash in dashes))
                if offset:
                    style.append(f"stroke-dashoffset:{float(offset):.4g}")
        return ";".join(filter(None, style))


def _shaping(text) -> dict:
    """What a text asks of the shaping of its glyphs, which Matplotlib knows since 3.11."""
    wanted = {"features": getattr(text, "_features", None), "language": getattr(text, "_language", None)}
    return {key: value for key, value in wanted.items() if value}


@functools.lru_cache(maxsize=1024)
def _is_plain(s: str) -> bool:
    """Whether DejaVu Sans has all letters, and no browser would order them otherwise or make something else of them."""
    glyphs = get_font(os.path.join(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")).get_charmap()
    backwards = ("R", "AL", "AN")
    return all(ord(c) in glyphs and unicodedata.category(c)[0] not in "CM" and unicodedata.bidirectional(c) not in backwards
               for c in s)


def _visible_part(path, transform, window, filled) -> Path:
    """The path in SVG points, without gaps, cut where it runs far out of sight; it ends with STOP."""
    curved = path.codes is not None and np.isin(path.codes, (Path.CURVE3, Path.CURVE4)).any()
    cut = not (filled or curved)
    path = path.cleaned(transform, remove_nans=True, clip=tuple(window.extents) if cut else None,
                        simplify=False, curves=True, sketch=None)
    if not cut and np.abs(path.vertices).max() > _FURTHEST:
        if curved:
            raise NotImplementedError("a curved path reaches far outside the figure; keep it inside the axes")
        path = _closed_where_it_began(Path(path.vertices[:-1], path.codes[:-1])).clip_to_bbox(window)
    return path


def _closed_where_it_began(path) -> Path:
    """Give CLOSEPOLY the vertex it returns to; Matplotlib clips it like any other vertex."""
    vertices = path.vertices.copy()
    began = 0
    for i, code in enumerate(path.codes):
        if code == Path.MOVETO:
            began = i
        elif code == Path.CLOSEPOLY:
            vertices[i] = vertices[began]
    return Path(vertices, path.codes)


def miter_limit(linewidth: float) -> float:
    """Where Agg cuts a spike: it takes the width in pixels for the limit."""
    return max(1.0, _SCALE * linewidth)


def _is_one_paint(style: str) -> bool:
    """Whether shapes of this style look the same painted one by one and as one shape, though they overlap."""
    declared = dict(declaration.split(":", 1) for declaration in style.split(";"))
    paints = {declared[use] for use in ("fill", "stroke") if declared.get(use, "none") != "none"}
    return len(paints) <= 1 and "fill-opacity" not in declared and "stroke-opacity" not in declared


def _alpha(color) -> float:
    return color[3] if len(color) == 4 else 1.0


@functools.lru_cache(maxsize=4096)
def _paint(color: tuple, use: str, alpha: float) -> tuple[str, ...]:
    color = rgb2hex(color)
    declarations = [f"{use}:{PAGE_COLORS.get(color, color)}"]
    if alpha != 1:
        declarations.append(f"{use}-opacity:{alpha:.4g}")
    return tuple(declarations)


def _commands(path: Path) -> tuple[str, np.ndarray]:
    """A path as run-length coded SVG commands ("M1L99Z1") and its vertices, up to a STOP."""
    codes = path.codes
    if codes is None:
        codes = np.full(len(path.vertices), Path.LINETO)
        codes[:1] = Path.MOVETO
    body, length = "", 0
    for code, run in itertools.groupby(codes.tolist()):
        if code == Path.STOP:
            break
        letter, count = _LETTERS[code], len(list(run))
        body += f"{letter}{count // max(_VERTICES_PER_LETTER[letter], 1)}"
        length += count
    return body, path.vertices[:length][codes[:length] != Path.CLOSEPOLY]


def _relative_path(path: Path) -> str:
    """The outline of a marker or glyph in relative SVG commands, y downwards."""
    body, points = _commands(path)
    return _relative_commands(body, np.round(points * (100, -100)).astype(int).tobytes())  # hundredths of a point


@functools.lru_cache(maxsize=1024)  # the same marker is drawn in many states
def _relative_commands(body: str, hundredths: bytes) -> str:
    points = np.frombuffer(hundredths, int).reshape(-1, 2)
    parts, here, start, k = [], np.zeros(2, int), np.zeros(2, int), 0
    for letter in expand(body):
        if letter == "Z":
            parts.append("z")
            here = start
            continue
        count = _VERTICES_PER_LETTER[letter]
        steps = points[k : k + count] - here
        here = points[k + count - 1]
        if letter == "M":
            start = here
        k += count
        parts.append(letter.lower() + " ".join(f"{x / 100:g} {y / 100:g}" for x, y in steps))
    return "".join(parts)


def expand(body: str) -> str:
    """Undo the run-length code: "M1L3" becomes "MLLL"."""
    return re.sub(r"([A-Z])(\d+)", lambda run: run[1] * int(run[2]), body)


def path_data(body: str, points: np.ndarray) -> str:
    """The ``d`` attribute for commands and points, in tenths of a point."""
    tenths = np.round(points * 10).astype(int)
    parts, k = [], 0
    for letter in expand(body):
        count = _VERTICES_PER_LETTER[letter]
        parts.append(letter + " ".join(f"{x / 10:g} {y / 10:g}" for x, y in tenths[k : k + count]))
        k += count
    return "".join(parts)
