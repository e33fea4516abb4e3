"""What a site holds so that its pages compute: marked cells, what a page says of them, the archive, the policy of the pages."""

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import chapters
import pages
from explorable.figure import RECORD
from runnable import site as contents
from runnable.cells import names
from runnable.sphinx_ext import entries, warns

INDEX = """\
# Words

The square $x^2$ is found.

```{admonition} Solution
:class: dropdown

Hidden words.
```

```python
print("copy me")
```
"""
MOVING = [
    "import time\nimport matplotlib.pyplot as plt\nfrom ipywidgets import IntSlider\nfrom explorable import explore",
    'rows = open("data/rows.jsonl").read()  # "</script>"',
    "time.sleep(0.3)",
    "hidden = 3",
    'fig, ax = plt.subplots(figsize=(2, 2))\nline, = ax.plot([0, 1])\ndef update(n):\n    time.sleep(0.5)\n    line.set_ydata([0, n])\n    return line,\n'
    'explore(fig, update, n=IntSlider(min=0, max=3), id="fig-wave", alt="A wave.", caption="A wave of $n$.")',
]
PAGES = ["index", "book/index", "book/moving", "book/12_pytorch", "book/assignments/release/ps1/ps1", "search", "genindex"]


def build(book):
    environment = {name: value for name, value in os.environ.items() if name != RECORD}
    done = subprocess.run([*chapters.BUILD, str(book), "-W", "-n", "--keep-going"],
                          capture_output=True, text=True, env=environment, timeout=300)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The folder of a built book of four pages, with the settings of the whole one."""
    root = tmp_path_factory.mktemp("small")
    for name in ("_static", "_templates", "_config.yml"):
        (shutil.copytree if (chapters.ROOT / name).is_dir() else shutil.copy)(chapters.ROOT / name, root / name)
    shutil.copytree(chapters.BOOK / "assignments" / "release" / "ps1", root / "book" / "assignments" / "release" / "ps1")
    release = root / PAGES[4]
    release.with_suffix(".ipynb").write_text(release.with_suffix(".ipynb").read_text().replace(
        "After chapter 1.", "After the chapters.").replace("../../../", "https://example.org/"))
    shutil.copy(chapters.BOOK / "references.bib", root / "book")
    (root / "book" / "index.md").write_text(INDEX)
    (root / "book" / "data").mkdir()
    (root / "book" / "data" / "rows.jsonl").write_text("{}\n")
    cells = [new_markdown_cell("# Moving words"), *map(new_code_cell, MOVING)]
    cells[4].metadata["tags"] = ["remove-cell"]
    write(root / "book" / "moving.ipynb", cells)
    write(root / "book" / "12_pytorch.ipynb", [new_markdown_cell("# With PyTorch"), new_code_cell("1 + 1")])
    (root / "_toc.yml").write_text("format: jb-book\nroot: book/index\nchapters:\n" + "".join(f"  - file: {page}\n" for page in PAGES[2:5]))
    code, output = build(root)
    assert code == 0, output
    (root / "_build" / "html" / "favicon.ico").write_bytes(b"")  # a slow browser asks for it before the redirection
    return root / "_build" / "html"


def write(path, cells):
    notebook = new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, path)


def soup(site, name):
    return BeautifulSoup((site / f"{name}.html").read_text(encoding="utf-8"), "html.parser")


def told(site, name):
    """What a page says to its script; None if it says nothing."""
    found = soup(site, name).select("script#runnable")
    return json.loads(found[0].string) if found else None


def reached(site, name, address):
    """The file of a site that an address in a page leads to."""
    return site / urlsplit(urljoin(f"/{name}.html", address)).path.lstrip("/")


def test_every_cell_is_marked_and_told(small):
    page, data = soup(small, "book/moving"), told(small, "book/moving")
    assert [cell["source"] for cell in data["cells"]] == MOVING
    assert [cell["index"] for cell in data["cells"]] == [1, 2, 3, 4, 5]
    marked = page.select("div.cell")
    assert [cell["data-runnable"] for cell in marked] == ["0", "1", "2", "4"], "the fourth is not shown, and yet in the list"
    assert "hidden = 3" not in page.select_one("article").get_text().replace(page.select_one("script#runnable").string, "")
    assert all(cell["answer"] is cell["text"] is cell["warns"] is False for cell in data["cells"])
    assert 0.3 <= data["cells"][2]["seconds"] < 1
    assert data["cells"][4]["seconds"] < 2, "without the recording of four states"
    assert data["notebook"] is None
    assert page.select_one("article").select("script#runnable"), "at the end of the article"
    assert len(page.select("script[src*='runnable.js'][defer]")) == len(page.select("link[href*='runnable.css']")) == 1


def test_a_page_says_where_python_and_the_books_code_are(small):
    for name in (PAGES[2], PAGES[4]):
        data = told(small, name)
        assert reached(small, name, data["worker"]) == small / "_static" / "worker.js" and reached(small, name, data["worker"]).exists()
        assert reached(small, name, data["pyodide"]["local"]) == small / "pyodide" and data["pyodide"]["local"].endswith("/")
        assert data["pyodide"]["cdn"].endswith(f"/v{data['pyodide']['version']}/full/")
        archive, = data["pyodide"]["archives"]
        with zipfile.ZipFile(reached(small, name, archive)) as found:
            assert {"gradients/rnn.py", "runnable/kernel.py", "grading/marks.py", "figures.mplstyle", "data/rows.jsonl"} <= set(found.namelist())
    assert told(small, PAGES[2])["pyodide"]["packages"] == ["matplotlib", "numpy", "pillow", "traitlets"]
    assert told(small, PAGES[4])["pyodide"]["packages"] == ["numpy"]


def test_a_problem_set_says_what_a_student_answers(small):
    name = PAGES[4]
    data, page = told(small, name), soup(small, name)
    notebook = nbformat.read(reached(small, name, data["notebook"]), as_version=4)
    assert all(notebook.cells[cell["index"]].source == cell["source"] for cell in data["cells"])
    solutions = [i for i, cell in enumerate(notebook.cells) if cell.metadata.get("nbgrader", {}).get("solution")]
    own = next(i for i, cell in enumerate(notebook.cells) if cell.source == "# your own check")
    assert [cell["index"] for cell in data["cells"] if cell["answer"]] == sorted([*solutions, own])
    place, = (place for place, cell in enumerate(data["cells"]) if cell["text"])
    answer, = page.select(f"[data-runnable='{place}']")
    assert answer.get_text().strip() == "YOUR ANSWER HERE" and "cell" not in answer["class"]
    hidden = {place for place, cell in enumerate(data["cells"]) if cell["source"].startswith("# Hidden tests")}
    assert hidden and {int(cell["data-runnable"]) for cell in page.select("[data-runnable]")} == {*range(len(data["cells"]))} - hidden


@pytest.mark.parametrize("name", ["index", "book/index", "book/12_pytorch", "search"])
def test_other_pages_have_nothing_of_it(name, small):
    page = soup(small, name)
    assert not page.select("[data-runnable], script#runnable, script[src*='runnable'], link[href*='runnable']")
    assert "wasm" not in page.select_one("meta[http-equiv='Content-Security-Policy']")["content"]


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("as_file", [False, True])
def test_no_page_breaks_its_policy(name, as_file, small, serve, page):
    page.goto((small / f"{name}.html").as_uri() if as_file else f"{serve(small)}/{name}.html")
    page.wait_for_load_state("networkidle")
    assert pages.foreign_requests(page.requests) == []
    assert pages.console_errors(page.messages) == []
    if name in ("book/index", "book/moving"):
        assert page.locator("mjx-container").count() == 1
    if name == "book/moving":
        pages.ready(page, "fig-wave")
        before = pages.picture(page, "fig-wave")
        pages.set_control(page, "fig-wave", "n", 2)
        assert pages.picture(page, "fig-wave") != before


def test_the_theme_works_under_the_policy(small, serve, page):
    page.goto(f"{serve(small)}/book/index.html")
    page.locator(".dropdown .toggle-button, .dropdown .admonition-title").first.click()
    assert page.get_by_text("Hidden words").is_visible()
    page.locator(".theme-switch-button:visible").first.click()
    assert page.evaluate("document.documentElement.dataset.mode") in ("light", "dark")
    page.locator("div.highlight").first.hover()
    page.locator("button.copybtn").first.click()
    page.locator("button.copybtn.success").wait_for()
    page.locator("button[onclick*='toggleFullScreen']").first.click()
    page.wait_for_function("document.fullscreenElement")
    page.evaluate("document.exitFullscreen()")
    page.locator(".search-button-field:visible, .search-button:visible").first.click()
    page.locator("input[type=search]:visible").first.fill("words")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=words*")
    page.locator("ul.search li p.context").nth(1).wait_for()  # of each page that it found, it has read the text
    assert pages.foreign_requests(page.requests) == []
    assert pages.console_errors(page.messages) == []


@pytest.mark.parametrize("name", ["book/index", "book/moving"])
def test_what_is_smuggled_into_a_page_does_not_run(name, small, serve, page, tmp_path):
    (tmp_path / "theirs.js").write_text("window.smuggled = 'from elsewhere'")
    elsewhere = serve(tmp_path)
    page.goto(f"{serve(small)}/{name}.html")
    tried = page.evaluate("""async (elsewhere) => {
        const add = (tag, attributes, text = "") => {
            const element = Object.assign(document.createElement(tag), attributes);
            element.append(text);
            document.body.append(element);
            return element;
        };
        add("script", {}, "window.smuggled = 'inline'");
        add("script", { src: `${elsewhere}/theirs.js` });
        document.body.insertAdjacentHTML("beforeend", "<a id=theirs onclick=\\"window.smuggled = 'a handler'\\">x</a>");
        document.getElementById("theirs").click();
        add("a", { href: "javascript:window.smuggled = 'an address'" }).click();
        setTimeout(() => (0, eval)("window.smuggled = 'eval'"));  // not at once: to what a debugger runs, eval is allowed
        const asked = await fetch(`${elsewhere}/theirs.js`, { mode: "no-cors" }).then(() => "fetched", () => "refused");
        await new Promise((done) => setTimeout(done, 300));
        return [window.smuggled ?? "nothing", asked];
    }""", elsewhere)
    assert tried == ["nothing", "refused"]


def test_python_of_a_page_reaches_no_other_host(small, serve, page, tmp_path):
    """Its worker is made from a blob, and so under the policy of its page."""
    (tmp_path / "secret").write_text("")
    address = serve(small)
    page.goto(f"{address}/book/moving.html")
    answer = page.evaluate("""([own, other]) => new Promise((done) => {
        const tries = `Promise.all(${JSON.stringify([own, other])}.map((url) => fetch(url, { mode: "no-cors" }).then(() => "yes", () => "no")))`;
        const code = new Blob([`${tries}.then((answers) => postMessage([...answers, typeof WebAssembly]))`], { type: "text/javascript" });
        const worker = new Worker(URL.createObjectURL(code), { type: "module" });
        worker.onmessage = ({ data }) => done(data);
        worker.onerror = () => done("the worker was refused");
    })""", [f"{address}/index.html", f"{serve(tmp_path)}/secret"])
    assert answer == ["yes", "no", "object"]


def test_a_second_build_changes_nothing(small):
    before = {path: path.read_bytes() for path in small.rglob("*.html")}
    code, output = build(small.parents[1])
    assert code == 0, output
    assert {path: path.read_bytes() for path in small.rglob("*.html")} == before
    assert all(text.count(b"http-equiv=\"Content-Security-Policy\"") == 1 for path, text in before.items() if "_static" not in path.parts)


def test_the_archive_has_the_same_bytes_for_the_same_content(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.jsonl").write_text("1\n")
    data = contents.data(tmp_path, ['stored("data/a.jsonl")', 'open("data/none.jsonl")'])
    first = contents.archive(data)
    os.utime(tmp_path / "data" / "a.jsonl", (1, 1))
    assert contents.archive(data) == first
    assert len(first) < 350_000
    listed = zipfile.ZipFile(io.BytesIO(first)).namelist()
    assert "data/a.jsonl" in listed and "data/none.jsonl" not in listed
    assert not [name for name in listed if "test" in name or name.endswith(("moving.gif", "sphinx_ext.py", "collect.py", ".js"))]
    (tmp_path / "data" / "a.jsonl").write_text("2\n")
    assert contents.archive(data) != first


def test_what_pages_use_can_be_imported_from_the_archive_alone(tmp_path):
    """In a Python that has Pyodide's packages, and neither IPython nor the rest of the book."""
    zipfile.ZipFile(io.BytesIO(contents.archive({}))).extractall(tmp_path)
    code = (f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
            "class Missing:\n"
            "    def find_spec(self, name, path=None, target=None):\n"
            f"        if name.partition('.')[0] in {['IPython', 'nbformat', 'nbgrader', 'sphinx', 'myst_nb', 'jupyter_cache', 'psutil']}:\n"
            "            raise ModuleNotFoundError(name, name=name)\n"
            "sys.meta_path.insert(0, Missing())\n"
            "import builtins, importlib.util\n"
            "find = importlib.util.find_spec\n"
            "importlib.util.find_spec = lambda name, package=None: None if name == 'IPython' else find(name, package)\n"
            "from runnable.kernel import Kernel\n"
            "said = []\n"
            "kernel = Kernel(said.append, sys.argv[1])\n"
            "source = '''import figures, results, gradients.rnn, grading, explorable, ipywidgets, gradients.many\\nfigures.__file__'''\n"
            "kernel.run(1, 0, source)\n"
            "assert said[-1]['ok'], said\n"
            "assert sys.argv[1] in said[0]['output']['text'], said\n")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=60, cwd=tmp_path, env=environment)


def test_packages_of_a_page():
    assert contents.packages(["import numpy as np\nfrom grading import check"]) == ["numpy"]
    assert "scipy" in contents.packages(["from results import stored"]), "which imports it"
    with pytest.raises(LookupError, match="'pandas'"):
        contents.packages(["def f():\n    import pandas.api"])


@pytest.mark.parametrize("page", [page for page in chapters.NOTEBOOKS if page.stem != "12_pytorch"], ids=lambda page: page.stem)
def test_every_chapter_can_run_in_a_browser(page):
    notebook = nbformat.read(page, as_version=4)
    found = entries(notebook, None)
    assert set(contents.packages([cell["source"] for cell in found])) <= {"matplotlib", "numpy", "pillow", "scipy", "traitlets"}
    unbound = set()
    for place, cell in enumerate(found):
        above = set().union(*(other["binds"] for other in found[:place]))
        unbound |= set(cell["needs"]) - above
    assert unbound == set(), "needed by a cell, and bound by none above it"


def test_cells_that_catch_warnings():
    floating = new_output("stream", name="stderr", text="x.py:1: RuntimeWarning: overflow encountered in exp\n")
    other = new_output("stream", name="stderr", text="x.py:1: RuntimeWarning: no such thing\n")
    assert warns(new_code_cell("f()", outputs=[floating])) and not warns(new_code_cell("f()", outputs=[other]))
    assert warns(new_code_cell("try:\n    f()\nexcept (ValueError, RuntimeWarning):\n    pass"))
    assert not warns(new_code_cell("try:\n    f()\nexcept FloatingPointError:\n    raise RuntimeWarning"))


CASES = {
    "bound before it is read": (["x = 1\nx + 1"], [("x", "")]),
    "read before it is bound": (["x = x + 1"], [("x", "x")]),
    "added to": (["x += 1"], [("x", "x")]),
    "unpacked": (["a, (b, *c) = d"], [("a b c", "d")]),
    "an entry set": (["d[k].a = 1"], [("d", "d k")]),
    "a method called": (["rows.append(1)"], [("rows", "rows")]),
    "a module's function called": (["import numpy as np", "np.add(1, 2)"], [("np", ""), ("", "np")]),
    "handed to a function": (["fit(net)\nlen(y)"], [("net", "fit net y")]),
    "bound in one branch alone": (["if a:\n    b = 1\nprint(b)"], [("b", "a b")]),
    "a loop's": (["for i in y:\n    pass"], [("i", "y")]),
    "a comprehension's": (["[f(i) for i in y if i]"], [("", "f y")]),
    "a walrus": (["[z := i for i in y]\nz"], [("z", "y")]),
    "a function's own": (["def f(a, b=c):\n    d = a\n    return d + e"], [("f", "c e")]),
    "bound after the function, before its call": (["def f():\n    return e\ne = 1\nf()"], [("e f", "")]),
    "what a function reads, at its call": (["def f():\n    return e", "e = 2", "f()"], [("f", "e"), ("e", ""), ("", "e f")]),
    "what a function changes": (["log = []", "def f():\n    log.append(1)", "f()"], [("log", ""), ("f log", "log"), ("log", "f log")]),
    "through two functions": (["def f():\n    return e", "def g():\n    return f()", "g()"], [("f", "e"), ("g", "e f"), ("", "e f g")]),
    "global": (["def f():\n    global n\n    n = 1", "f()"], [("f n", "n"), ("n", "f n")]),
    "a closure": (["def f(a):\n    def g():\n        return a + b\n    return g"], [("f", "b")]),
    "a lambda": (["f = lambda a: a + b"], [("f", "b")]),
    "a class": (["class A(B):\n    c = d\n    def e(self):\n        return g"], [("A", "B d g")]),
    "an exception": (["try:\n    f()\nexcept E as e:\n    print(e)"], [("e", "E f")]),
    "deleted": (["del x"], [("x", "x")]),
    "imported": (["from a.b import c as d, e\nimport f.g"], [("d e f", "")]),
    "a builtin rebound": (["print = 3", "print"], [("print", ""), ("", "print")]),
    "a decorated one": (["@cache\ndef f():\n    return 1"], [("f", "cache")]),
}


@pytest.mark.parametrize("case", CASES)
def test_what_cells_bind_and_need(case):
    sources, wanted = CASES[case]
    assert names(sources) == [(sorted(binds.split()), sorted(needs.split())) for binds, needs in wanted]
