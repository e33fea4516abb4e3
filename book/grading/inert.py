"""Pages that show what a student wrote, in which nothing of it runs: nbgrader's feedback, and its Formgrader.

Text stays as it was handed in; it is made inert where it becomes a page. There are two walls. nh3 lets through a short
list of HTML, and shows the rest as the text that it is; pictures come from the notebook alone, links lead to full addresses
of the web; formulas become MathML here, so that no script has to read them. And each page carries a policy
(Content-Security-Policy) under which the browser runs no script but nbgrader's own, and asks no other machine for anything.

`nbgrader_config.py` names `Feedback` and calls `guard_feedback` and `guard_formgrader`.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
import secrets
import shutil
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from xml.etree import ElementTree

import nh3
from bs4 import BeautifulSoup
from jinja2 import DictLoader, pass_context
from jinja2.ext import Extension
from latex2mathml.converter import Converter
from markupsafe import Markup, escape
from mistune import import_plugin
from nbconvert.exporters import HTMLExporter, TemplateExporter
from nbconvert.filters import ansi2html, strip_ansi
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath, MathBlockParser
from nbformat import NotebookNode
from nbgrader.converters import GenerateFeedback
from nbgrader.server_extensions.formgrader import base as formgrader_base
from nbgrader.server_extensions.formgrader import handlers as formgrader_handlers
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from pygments.token import STANDARD_TYPES
from traitlets import default

__all__ = ["Feedback", "Formgrader", "guard_feedback", "guard_formgrader", "markdown"]

# Characters; what is longer is shown plain, for parsers may take seconds for it, or a square of that.
LONGEST = {"text": 20_000, "formula": 4_000, "code": 10_000, "page": 80_000, "printed": 500_000}
GROWTH, SMALL = 20, 100_000  # what a text becomes is at most this many times as long, or that long; its pictures come to it
PLUGINS = ["strikethrough", "table", "url", "def_list"]  # nbconvert's, but for ticks in lists: these are form fields

BLOCKS = "p br hr h1 h2 h3 h4 h5 h6 blockquote pre div ul ol li dl dt dd table caption thead tbody tfoot tr th td"
INLINE = "a img span code b strong i em u s del ins sub sup small mark kbd samp var q cite abbr"
TAGS = set(f"{BLOCKS} {INLINE}".split())
NO_TAG = re.compile(rf"<(?!/?(?:{'|'.join(TAGS)})(?:\s*/?>|\s+[a-z-]+\s*=))", re.IGNORECASE)  # x<b and c>d is none
PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"]  # no SVG: of 2 KB it can be made to fill the memory of a browser
PICTURE = re.compile(rf"data:(?:{'|'.join(map(re.escape, PICTURES))});base64,[A-Za-z0-9+/=]*")
LINK = re.compile(r"(?:https?://|mailto:)[^\s]+", re.IGNORECASE)
SIZE = re.compile(r"[0-9]{1,4}%?")
IN_TEXT = re.compile(rf"data:({'|'.join(map(re.escape, PICTURES))});base64,([A-Za-z0-9+/=]{{1000,}})")
MARKS, MOST_MARKS = re.compile(r"\*+|_+"), 1_500  # of emphasis, in a text without an empty line: the parser takes the cube of it
SPACES = re.compile(r"([ \t]{100})[ \t]+")  # for a run of these the parser takes the square of its length
RUN = re.compile(r"\s{100}|[0-9]{100}")  # so does the lexer
PYTHON, CLASSES = PythonLexer(), HtmlFormatter(cssclass="highlight")  # IPython's lexer takes the square of every line's length
FORMULA = re.compile(r'<span class="formula">([0-9a-f]{32})</span>')


def _allowed(tag: str, name: str, value: str) -> str | None:
    want = {"href": LINK, "src": PICTURE, "width": SIZE, "height": SIZE}.get(name)
    return value if want is None or want.fullmatch(value) else None


HTML = nh3.Cleaner(
    tags=TAGS,
    attributes={"a": {"href", "title"}, "img": {"src", "alt", "title", "width", "height"}, "ol": {"start"},
                "th": {"colspan", "rowspan", "style"}, "td": {"colspan", "rowspan", "style"}},
    allowed_classes={"div": {"highlight"}, "span": {"formula", *STANDARD_TYPES.values()} - {"", "err"}},
    filter_style_properties={"text-align"}, attribute_filter=_allowed, url_schemes={"http", "https", "mailto", "data"},
    set_tag_attribute_values={"a": {"target": "_blank"}})
"""What a student's Markdown may become."""

COLOURS = nh3.Cleaner(
    tags={"span"}, attributes={"span": {"style", "class"}}, filter_style_properties={"color", "background-color"},
    attribute_filter=lambda tag, name, value: value if name != "class" or re.fullmatch(r"(ansi-[a-z-]+ ?)+", value) else None)
"""What printed text may become."""

MATHML = nh3.Cleaner(
    tags=set("math mrow mi mn mo mtext ms mspace mfrac msqrt mroot mstyle mpadded mphantom menclose "
             "msub msup msubsup munder mover munderover mmultiscripts mprescripts none mtable mtr mtd".split()),
    attributes={"*": set("display displaystyle scriptlevel mathvariant mathcolor stretchy symmetric fence separator largeop "
                         "movablelimits form accent accentunder lspace rspace minsize maxsize width height depth linethickness "
                         "notation columnalign columnspacing columnlines rowspacing rowlines rowalign linebreak".split())},
    attribute_filter=lambda tag, name, value: value if (
        value in READABLE if name == "mathcolor" else all(MATHML_VALUE.fullmatch(part) for part in value.split())) else None)
READABLE = set("black blue brown crimson darkblue darkgreen darkred gray green magenta maroon navy olive orange purple red teal violet".split())  # on white
MATHML_VALUE = re.compile(r"[a-zA-Z-]{1,30}|#[0-9a-fA-F]{3,6}|(?:[0-9]{1,2}|[0-9]{0,2}\.[0-9]{1,8})(?:em|ex|mu|pt|px|%)?")

BARS = {r"\lVert": "‖", r"\rVert": "‖", r"\|": "‖", r"\lvert": "|", r"\rvert": "|"}  # it leaves them so after \Bigl

# The environments that latex2mathml doesn't know, as one that it knows.
ENVIRONMENTS = {"aligned": "align*", "align": "align*", "eqnarray": "align*", "eqnarray*": "align*", "gathered": "matrix",
                "gather": "matrix", "gather*": "matrix", "multline": "matrix", "multline*": "matrix",
                "flalign": "align*", "flalign*": "align*"}

# What of a formula's source is no content: names, columns, lengths and colours.
COMMAND = re.compile(r"\\([a-zA-Z]+)")
LENGTH = r"-?(?:\d+\.?\d*|\.\d+)\s*(?:em|ex|mu|pt|px|in|mm|cm|pc|bp|dd|cc|sp)"
NO_CONTENT = re.compile(
    r"\\(?:begin|end)\s*\{[a-zA-Z]+\*?\}(?:\s*\[[lcr]\]|\s*\{[lcr|\s]*\})?"
    rf"|\\(?:text)?color\s*\{{(?:{'|'.join(sorted(READABLE))})\}}|\{{\s*{LENGTH}\s*\}}|\[\s*{LENGTH}\s*\]|\\(?:[hm]skip|m?kern)\s*{LENGTH}")
TOKENS = {"mi", "mn", "mo", "mtext", "ms"}  # have text, and no elements


def mathml(tex: str, display: str = "inline") -> str:
    """A formula as MathML; as code, where it isn't understood."""
    source = re.sub(r"(\\(?:begin|end)\s*)\{([a-z]+\*?)\}", lambda m: f"{m[1]}{{{ENVIRONMENTS.get(m[2], m[2])}}}", tex)
    if re.search(r"(?<!\\)(?:\\\\)*%", source):  # of a comment nothing would be seen: it may be words between two signs of dollars
        return f"<code>{escape(tex)}</code>"
    source = re.sub(r"\\(?:begin|end)\s*\{equation\*?\}", "", source)
    converter = Converter(display=display)
    converter.macros = MappingProxyType({})  # definitions fail: a short one can stand for a formula without end
    try:
        if len(source) > LONGEST["formula"]:
            raise ValueError("too long")
        tree = converter.convert_to_element(source)
        for element in tree.iter():  # it has references in its texts; its own way to undo them lets a student's HTML out
            element.text = element.text and BARS.get(element.text, html.unescape(element.text))
            element.tail = element.tail and html.unescape(element.tail)
            if element.tag in TOKENS and len(element):  # its \mathop: a browser, and the cleaning, would show nothing of them
                element.tag = "mrow"
        shown = MATHML.clean(ElementTree.tostring(tree, encoding="unicode"))
        if _loses(source, shown):
            raise ValueError("not all of it shows")
        return shown
    except Exception:  # whatever was typed
        return f"<code>{escape(tex)}</code>"


def _letters(text: str) -> str:
    """Its letters and digits, in the plain form."""
    return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", text)))


def _loses(source: str, shown: str) -> bool:
    """Whether letters or digits of a formula's content are not in what is shown of it, or a sign that parts its columns is."""
    page = BeautifulSoup(shown, "html.parser")
    for hidden in page.find_all("mphantom"):
        hidden.decompose()
    texts = [element.get_text() for element in page.find_all(TOKENS)]
    there = Counter(_letters("".join(texts)))
    told = {_letters(text) for text in texts}
    content = html.unescape(NO_CONTENT.sub(" ", source))
    for name in COMMAND.findall(content):
        if len(name) > 1 and name in told:  # \lim shows its own name
            there.subtract(name)
    return bool(Counter(_letters(COMMAND.sub(" ", content))) - there) or "&" in texts and r"\&" not in source


class _Blocks(MathBlockParser):
    """nbconvert's; but the definition of a link, which may be words, shows as it was written."""

    def parse_ref_link(self, m, state):
        last = state.last_token()
        end = super().parse_ref_link(m, state)
        if end and not (last and last["type"] == "paragraph"):  # or else it is a part of that
            state.append_token({"type": "paragraph", "text": state.get_text(end)})
            state.append_token({"type": "blank_line"})
        return end


class _Renderer(IPythonRenderer):
    """nbconvert's, with formulas set aside, pictures from the notebook alone, and unknown HTML as text."""

    def __init__(self, attachments):
        super().__init__(escape=False, exclude_anchor_links=True, attachments=attachments)
        self.formulas = {}
        self.pictures = 0  # characters of those shown that are no part of the text

    def _formula(self, tex, display):
        mark = secrets.token_hex(16)  # nobody can write it
        self.formulas[mark] = tex, display
        return f'<span class="formula">{mark}</span>'

    def inline_math(self, body):
        return self._formula(body, "inline")

    def block_math(self, body):
        return self._formula(body, "block")

    def latex_environment(self, name, body):
        return self._formula(rf"\begin{{{name}}}{body}\end{{{name}}}", "block")

    def block_code(self, code, info=None):
        info = (info or "").strip()
        if info in ("python", "py", "ipython3"):
            return highlight_code(code)
        return super().block_code(f"{info}\n{code}" if info else code)  # it may be words, though a language stands there most often

    def inline_html(self, text):
        def image(found):
            tag = BeautifulSoup(found[0], "html.parser").img
            if tag is None:
                return escape(found[0])
            return self.image(escape(tag.get("alt", "")), tag.get("src", ""), tag.get("title"), tag.get("width"))

        return NO_TAG.sub("&lt;", re.sub(r"<img[\s/][^>]*>", image, text, flags=re.IGNORECASE))

    block_html = inline_html

    def image(self, text, url, title=None, width=None):
        text = put_back(text, lambda tex, _: escape(tex), self.formulas)
        words = escape(html.unescape(re.sub(r"<[^>]*>", "", text)))
        if url.startswith("attachment:"):
            name = url.removeprefix("attachment:")
            found = self.attachments.pop(name, None)  # once: a thousand large ones would stop the browser
            kind = next((kind for kind in PICTURES if isinstance(found, dict) and isinstance(found.get(kind), str)), None)
            if kind is None and isinstance(found, dict) and "image/svg+xml" in found:
                return f"[{words or 'picture'}: {escape(name)} is an SVG, which is in the notebook and not shown here]"
            if kind is None:
                return f"[{words or 'picture'}: {escape(name)} is not in the notebook, or is above]"
            url = f"data:{kind};base64,{''.join(found[kind].split())}"
            self.pictures += len(url)
        if re.match(r"data:image/svg", url, re.IGNORECASE):
            return f"[{words or 'picture'}: an SVG, which is in the notebook and not shown here]"
        if not PICTURE.fullmatch(url):
            return f'<a href="{escape(url)}">{words or "picture"} ({escape(url[:200])})</a>'
        return f'<img src="{escape(url)}" alt="{words}" title="{escape(title or "")}" width="{escape(width or "")}">'


def put_back(page: str, show: Callable[[str, str], str], formulas: dict[str, tuple[str, str]]) -> str:
    """`page` with the `formulas` that the renderer has set aside, as `show` shows each."""
    return FORMULA.sub(lambda found: show(*formulas[found[1]]) if found[1] in formulas else found[0], page)


def clean(text) -> str:
    """A text that can be written to a file, whatever characters it has."""
    return str(text).encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def plain(text) -> Markup:
    return Markup("<pre>%s</pre>") % clean(text)


def markdown(text: str, attachments: dict | None = None) -> Markup:
    """A student's Markdown as HTML in which nothing runs and that asks for nothing."""
    pictures = dict(attachments or {})

    def aside(found):  # so does Google Colab keep pictures
        name = f"in-text-{len(pictures)}"
        pictures[name] = {found[1]: found[2]}
        return f"attachment:{name}"

    short = SPACES.sub(r"\1", IN_TEXT.sub(aside, text))
    if len(short) > LONGEST["text"] or len(re.findall(r"\\begin|\\\\[\[(]", short)) > 200:  # each is looked for to the end
        return plain(text)
    if any(len(MARKS.findall(part)) > MOST_MARKS for part in re.split(r"\n[ \t]*\n", short)):
        return plain(text)
    renderer = _Renderer(pictures)
    try:
        page = MarkdownWithMath(renderer, _Blocks(), plugins=map(import_plugin, PLUGINS)).render(clean(short))
    except Exception:  # whatever was typed
        return plain(text)
    most = max(GROWTH * len(short), SMALL) + renderer.pictures
    if len(page) <= most and len(page := put_back(HTML.clean(page), mathml, renderer.formulas)) <= most:
        return Markup(page)
    return plain(text)  # references to a long address, say


@pass_context
def _markdown2html(context, text):
    cell = context.get("cell", {})  # none for a teacher's comment
    attachments = cell.get("attachments")
    if "plain" in cell.get("metadata", {}):
        return plain(text)
    return markdown(text, attachments if isinstance(attachments, dict) else None)


def highlight_code(source: str, metadata=None) -> Markup:
    """Python, in colours."""
    if len(source) > LONGEST["code"] or RUN.search(source) or "plain" in (metadata or {}):
        return plain(source)
    return Markup(HTML.clean(highlight(clean(source), PYTHON, CLASSES)))


class Uncoloured(str):
    """What a program printed, of which the page has much already."""


def coloured(text: str) -> Markup:
    """What a program printed, in the colours that it printed."""
    if isinstance(text, Uncoloured):
        return escape(strip_ansi(clean(text)))
    try:
        return Markup(COLOURS.clean(str(ansi2html(clean(text)))))
    except Exception:  # whatever was printed: a colour may be half said
        return escape(strip_ansi(clean(text)))


class _Scripts(Extension):
    """Marks the scripts of a template as its own, and gives them names as JavaScript wants them."""

    def preprocess(self, source, name, filename=None):
        source = re.sub(r'= "\{\{ ([a-z_.]+) \}\}"', r"= {{ \1 | tojson }}", source)
        return source.replace("<script", '<script nonce="{{ nonce }}"')


STYLE = """
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
.prompt { display: none }
.rendered_html, .input_area, .output_subarea { overflow-x: auto; max-width: 100%; overflow-wrap: break-word }
.rendered_html img { max-width: 100%; height: auto }
.rendered_html td, .rendered_html th { padding: .2em .6em; border: 1px solid #bbb }
math[display=block] { margin: .6em 0 }
math [mathvariant^=bold] { font-weight: bold }
mtd[columnalign=left] { text-align: left }
mtd[columnalign=right] { text-align: right }
pre { white-space: pre-wrap; overflow-wrap: anywhere }
div.nbgrader_cell div.panel-heading { height: auto; overflow: hidden }
@media (max-width: 600px) { body div.container, .panel > .panel-body { padding: 5px } }
</style>
"""


class Inert(HTMLExporter):
    """nbconvert's exporter, for notebooks of students.

    Every variable of a template is escaped, unless one of the filters here has made it HTML. Of outputs there remain text
    and pixels, of metadata nbgrader's own.
    """

    policy = ""  # {nonce}: what marks the scripts of the templates
    in_place_of_mathjax = STYLE
    exclude_input_prompt = exclude_output_prompt = True

    @property
    def default_config(self):
        config = super().default_config.copy()
        config.NbConvertBase.display_data_priority = ["image/png", "image/jpeg", "text/plain"]
        return config

    def _create_environment(self):
        environment = super()._create_environment()
        environment.autoescape = True
        environment.add_extension(_Scripts)
        environment.globals["nonce"] = self.nonce = secrets.token_urlsafe(16)
        return environment

    @default("extra_loaders")
    def _no_mathjax(self):
        return [DictLoader({"mathjax.html.j2": f"{{% macro mathjax(url=none) %}}{self.in_place_of_mathjax}{{% endmacro %}}"})]

    @default("filters")
    def _filters_default(self):
        return {"markdown2html": _markdown2html, "highlight_code": highlight_code, "ansi2html": coloured, "clean_html": plain,
                "escape_html": escape, "strip_files_prefix": lambda text: text}

    def _preprocess(self, nb, resources):
        nb, resources = super()._preprocess(nb, resources)
        nb.metadata = NotebookNode()
        length = printed = 0
        for cell in nb.cells:
            length += len(IN_TEXT.sub("", cell.source))
            kept = {"nbgrader": cell.metadata.nbgrader} if "nbgrader" in cell.metadata else {}
            cell.metadata = NotebookNode(kept | ({"plain": True} if length > LONGEST["page"] else {}))
            for output in cell.get("outputs", []):
                output.metadata = NotebookNode()
                texts = [output.get("text", ""), *output.get("traceback", ()), output.get("data", {}).get("text/plain", "")]
                printed += sum(map(len, texts))
                if printed > LONGEST["printed"]:
                    _uncolour(output)
        resources["inlining"]["css"] = [Markup(css) for css in resources["inlining"]["css"]]
        return nb, resources

    def from_notebook_node(self, nb, resources=None, **options):
        # Not through HTMLExporter: it parses the page once more, which takes long, and writes it anew, which nh3 has not seen.
        page, resources = TemplateExporter.from_notebook_node(self, nb, resources, **options)
        head = (f'<head><meta http-equiv="Content-Security-Policy" content="{self.policy.format(nonce=self.nonce)}">'
                '<meta http-equiv="x-dns-prefetch-control" content="off">')  # a link asks for nothing before it is clicked
        return page.replace("<head>", head, 1), resources


def _uncolour(output):
    for place, name in ((output, "text"), (output.get("data", {}), "text/plain")):
        if name in place:
            place[name] = Uncoloured(place[name])
    if "traceback" in output:
        output.traceback = [Uncoloured(line) for line in output.traceback]


class Feedback(Inert):
    """The page that a student gets back: no script at all, and no need of a network."""

    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"

    def from_notebook_node(self, nb, resources=None, **options):
        page, resources = super().from_notebook_node(nb, resources, **options)
        # The first one is Bootstrap's, and would be read from beside the page.
        return re.sub(r"@font-face\s*\{[^}]*\}", "", page, count=1), resources


def _sha256(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


class Formgrader(Inert):
    """The page on which a teacher reads and marks a submission."""

    policy = (f"default-src 'none'; script-src 'nonce-{{nonce}}' 'unsafe-hashes' {_sha256('toggle_name(true);')} "
              f"{_sha256('toggle_name(false);')}; style-src 'self' 'unsafe-inline'; img-src data:; font-src 'self'; "
              "connect-src 'self'; form-action 'none'; base-uri 'none'")
    # nbgrader's script waits for MathJax.
    in_place_of_mathjax = STYLE + '<script>var MathJax = {Hub: {Startup: {signal: {Interest: (tell) => tell("End")}}}};</script>'


def guard_feedback() -> None:
    """Of what was handed in beside a notebook nothing lies beside its page: nbgrader would copy all of it, pages with scripts, too.

    But for two files that `nbgrader release_feedback` needs.
    """
    def copy(converter, assignment, student):
        source, destination = (Path(place(assignment, student)) for place in (converter._format_source, converter._format_dest))
        destination.mkdir(parents=True, exist_ok=True)
        for name in ("timestamp.txt", "submission_secret.txt"):
            if (source / name).is_file():
                (destination / name).unlink(missing_ok=True)
                shutil.copy(source / name, destination)

    GenerateFeedback.init_assignment = copy


def guard_formgrader() -> None:
    """Put the pages of nbgrader's server extension under guard. It has no settings for that."""
    def render(handler, name, **names):
        lists = handler.settings["nbgrader_jinja2_env"].overlay(autoescape=True, extensions=[_Scripts])
        return lists.get_template(name).render(**names)

    formgrader_base.BaseHandler.render = render
    formgrader_base.BaseHandler.exporter = property(
        lambda handler: Formgrader(config=handler.settings["nbgrader_formgrader"].config))
    # Files that were handed in with a notebook.
    formgrader_handlers.SubmissionFilesHandler.content_security_policy = "sandbox; default-src 'none'; img-src 'self' data:"
