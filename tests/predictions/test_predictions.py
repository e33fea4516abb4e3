"""Questions on a page: what is wrong with one is told, and a reader answers it, keeps the answer, and can forget it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from axe_playwright_python.sync_playwright import Axe
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import pages

BOOK = Path(__file__).parents[2] / "book"
DARK = "localStorage.setItem('mode', 'dark'); localStorage.setItem('theme', 'dark')"


def build(folder, *options, builder="html"):
    """Build a book in a process of its own (an extension sets its environment): exit status and output."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(BOOK), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run([sys.executable, "-m", "sphinx", "-q", "-b", builder, *options, str(folder), str(folder / "_build" / builder)],
                          capture_output=True, text=True, env=environment, timeout=300)
    return done.returncode, done.stdout + done.stderr


def listing(n):
    return "\n".join(f"{i}. Item {i}." for i in range(1, n + 1))


def predict(label="predict-a", n=3, text="What?"):
    return f":::{{predict}} {label}\n{text}\n\n{listing(n)}\n:::\n\n"


def predicted(label="predict-a", n=3, right="2", proof="x > 1", **more):
    options = {"right": right, "proof": proof, **more}
    written = "".join(f":{name}: {value}\n" for name, value in options.items() if value is not None)
    return f":::{{predicted}} {label}\n{written}\n{listing(n)}\n:::\n\n"


def number(**answer):
    return predict(n=0, label=answer.get("label", "predict-a")) + predicted(**{"right": "66", "within": "1.5"} | answer)


FAULTS = {  # name of the page: its text, which of its directives are warned of (1: the first), and what is said there
    "no-question": ("Text.\n\n" + predicted(), (1,), "predict-a: it is answered, but there is no such question above it on this page"),
    "before": (predicted() + predict(), (1, 2), "predict-a: it is answered, but there is no such question above it"),
    "unanswered": (predict(), (1,), "predict-a: the question is never answered"),
    "twice": (predict() + predicted() + predicted(), (3,), "predict-a: the question is answered twice"),
    "doubled": (predict("predict-b") + predicted("predict-b") + predict("predict-b"), (3,), "predict-b: the label is doubled: another question"),
    "label": (predict("guess-a") + predicted("guess-a"), (1,), "guess-a: wanted a label that begins with predict-"),
    "letters": (predict('predict-"a"') + predicted('predict-"a"'), (1,), 'predict-"a": wanted a label that begins with predict- and goes on'),
    "two": (predict(n=2) + predicted(n=2), (2,), "predict-a: the question has 2 answers; wanted 3 to 5"),
    "six": (predict(n=6) + predicted(n=6), (2,), "predict-a: the question has 6 answers; wanted 3 to 5"),
    "unequal": (predict(n=4) + predicted(n=3), (2,), "predict-a: the question has 4 answers, but 3 are spoken about"),
    "right-0": (predict() + predicted(right="0"), (2,), "predict-a: right is '0'; wanted a number from 1 to 3"),
    "right-4": (predict() + predicted(right="4"), (2,), "predict-a: right is '4'; wanted a number from 1 to 3"),
    "right-none": (predict() + predicted(right=None), (2,), "predict-a: right is ''; wanted a number from 1 to 3"),
    "right-word": (predict() + predicted(right="the second"), (2,), "predict-a: right is 'the second'; wanted a number from 1 to 3"),
    "no-proof": (predict() + predicted(proof=None), (2,), "predict-a: it has no proof"),
    "no-python": (predict() + predicted(proof="x is above 1"), (2,), "predict-a: proof is 'x is above 1'; wanted a Python expression"),
    "within-a-list": (predict() + predicted(within="1.5"), (2,), "predict-a: within is for a question that asks for a number"),
    "within-1": (number(within="1"), (2,), "predict-a: within is 1; wanted a factor above 1"),
    "within-none": (number(within=None), (2,), "predict-a: within is ''; wanted a number"),
    "within-nan": (number(within="nan"), (2,), "predict-a: within is 'nan'; wanted a number"),
    "no-number": (number(right="many"), (2,), "predict-a: right is 'many'; wanted a number"),
    "no-number-there": (number(right="1_000"), (2,), "predict-a: right is '1_000'; wanted a number"),
    "zero": (number(right="0.0"), (2,), "predict-a: right is 0, of which no guess is within a factor"),
    "items": (number(n=2), (2,), "predict-a: 2 items; wanted 3, for a guess that is too small, close and too large"),
    "bullets": (predict().replace("1.", "*").replace("2.", "*").replace("3.", "*") + predicted(), (2,), "predict-a: the list of the answers must be numbered"),
    "more-after": (predict().replace("3.\n:::", "3.\n\nMore.\n:::") + predicted(), (2,), "predict-a: the list of the answers must be numbered, and end the question"),
    "list-alone": (predict(text=""), (1,), "predict-a: the question is never answered"),
    "no-paragraph": (predict(text="") + predicted(), (2,), "predict-a: the question must begin with a paragraph"),
    "empty": (":::{predict} predict-a\n:::\n\n" + predicted(), (2,), "predict-a: the question must begin with a paragraph"),
    "two-paragraphs": (predict().replace("2.\n", "2.\n\n   More.\n") + predicted(), (2,), "predict-a: an answer must be one paragraph"),
    "said-otherwise": (predict() + predicted().replace("Item 1.", "Item 1.\n\n   More."), (2,), "predict-a: what is said on an answer must be one paragraph"),
    "said-more": (predict() + predicted().replace("\n1.", "\nMore.\n\n1."), (2,), "predict-a: wanted one numbered list, of what is said on each answer"),
}


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """The warnings of a book with every fault: page -> [(line, text)]."""
    folder = tmp_path_factory.mktemp("faulty")
    (folder / "conf.py").write_text("extensions = ['myst_parser', 'predictions.sphinx_ext']\nmyst_enable_extensions = ['colon_fence']\n")
    for name, (text, *_) in FAULTS.items():
        own = text.replace("predict-a", f"predict-a-{name}").replace("predict-b", f"predict-b-{name}")  # labels are unique in a book
        (folder / f"{name}.md").write_text(f"# Title\n\n{own}")
    (folder / "other.md").write_text("# Title\n\n" + predict("predict-same") + predicted("predict-same"))
    (folder / "same.md").write_text("# Title\n\n" + predict("predict-same") + predicted("predict-same"))
    (folder / "index.md").write_text("# Book\n\n```{toctree}\n:glob:\n*\n```\n\n```{predict-list}\n```\n")
    code, output = build(folder)
    assert code == 0, output
    told = {}
    for name, line, text in re.findall(r"(\S+)\.md:(\d+): WARNING: (.*)", output):
        told.setdefault(Path(name).name, []).append((int(line), text))
    return told


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_a_warning_with_its_place(faulty, name):
    written, places, text = FAULTS[name]
    starts = [number for number, line in enumerate(written.splitlines(), 3) if line.startswith(":::{")]
    own = text.replace("predict-a", f"predict-a-{name}").replace("predict-b", f"predict-b-{name}")
    assert [line for line, _ in sorted(faulty[name])] == [starts[place - 1] for place in places]
    assert any(said.startswith(own) for _, said in faulty[name]), faulty[name]


def test_a_label_of_two_pages_is_a_warning(faulty):
    assert faulty["same"] == [(3, "predict-same: the label is doubled: a question of other has it, too")]
    assert faulty.keys() == {*FAULTS, "same"}


FAR_PAST = [
    ":::{predict} predict-far-past\nAt a scale of $s = 0.9$, how much of the gradient comes from the ten nearest steps?\n\n"
    "1. about a tenth\n2. about half, as $\\|W_{hh}\\|_2 = 0.9$ says\n3. nearly all of it\n:::",
    ":::{predicted} predict-far-past\n:right: 3\n:proof: share > 0.9\n\n1. You may have thought that all steps count alike.\n"
    "2. You may have taken one factor for all. But there are $k$ of them.\n3. The factors $0.9^k$ fall.\n:::",
]
DOUBLING = [
    ":::{predict} predict-doubling\nAfter how many steps is the bound below one thousandth?\n:::",
    ":::{predicted} predict-doubling\n:right: 66\n:within: 1.5\n:proof: first_below\n\n1. You may have counted the powers of ten.\n"
    "2. It loses a tenth a step.\n3. You may have summed the factors. See [](#a-section) and {doc}`teach`.\n:::",
]


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """A strictly built book with two questions: its folder."""
    folder = tmp_path_factory.mktemp("book")
    (folder / "conf.py").write_text(
        "project, html_theme, exclude_patterns = 'Book', 'sphinx_book_theme', ['_build']\n"
        "extensions = ['myst_nb', 'sphinx_book_theme', 'sphinx-mathjax-offline', 'explorable.sphinx_ext', 'predictions.sphinx_ext', 'runnable.sphinx_ext']\n"
        "nb_execution_mode, nb_ipywidgets_js, myst_heading_anchors = 'off', {}, 3\n"
        "myst_enable_extensions = ['dollarmath', 'colon_fence']\n")
    cells = [new_markdown_cell("# A page\n\n## A section"), new_markdown_cell(FAR_PAST[0]), new_code_cell("share = 0.95"), new_markdown_cell(FAR_PAST[1]),
             new_markdown_cell("Prose."), *map(new_markdown_cell, DOUBLING)]
    notebook = new_notebook(cells=cells, metadata={"language_info": {"name": "python", "pygments_lexer": "ipython3"}})
    (folder / "part").mkdir()
    nbformat.write(notebook, folder / "part" / "page.ipynb")
    (folder / "index.md").write_text("# Book\n\nWithout a question.\n\n```{toctree}\n:numbered:\nteach\npart/page\n```\n")
    (folder / "part" / "teach.md").write_text("---\norphan: true\n---\n# Near\n")
    (folder / "teach.md").write_text("# Teach\n\n```{predict-list}\n```\n")
    code, output = build(folder, "-W", "--keep-going")
    assert code == 0, output
    (folder / "_build" / "html" / "favicon.ico").write_bytes(b"")
    return folder / "_build" / "html"


@pytest.fixture(scope="module")
def served(book, serve):
    return serve(book)


@pytest.fixture
def opened(served, new_page):
    """Opens the page with the questions."""

    def open_page(name="part/page", script="", **options):
        page = new_page(**options)
        page.add_init_script(script)
        page.goto(f"{served}/{name}.html", wait_until="networkidle")
        return page

    return open_page


def shown(page, label="predict-far-past"):
    """The text of what is said on an answer, as a screen reader says it; "" if nothing is."""
    return " ".join(page.locator(f"#{label} [role=status]").inner_text().split())


def note(page, label="predict-far-past"):
    return " ".join(page.locator(f"#{label} .prediction-note").locator("visible=true").all_inner_texts()).removesuffix("Forget my answer").rstrip()


def unharmed(page):
    return pages.foreign_requests(page.requests) == [] and pages.console_errors(page.messages) == []


def test_only_pages_with_a_question_load_its_script(book):
    assert {name: "predictions.js" in (book / f"{name}.html").read_text() for name in ("index", "teach", "part/page")} == {
        "index": False, "teach": False, "part/page": True}
    text = (book / "part" / "page.html").read_text()
    assert "predictions.css" in text and "Content-Security-Policy" in text


def test_an_answer_is_judged_at_once_and_may_be_changed(opened):
    page = opened()
    question = page.get_by_role("group", name=re.compile("^At a scale of"))
    assert shown(page) == "" and note(page) == "" and not question.locator("details").count()
    question.get_by_label("about half").check()
    assert shown(page).startswith("✗ Wrong. You may have taken one factor for all.") and note(page) == "Your first answer: 2"
    question.get_by_text("nearly all of it").click()
    assert shown(page).startswith("✓ Right. The factors") and "Wrong" not in shown(page) and note(page) == "Your first answer: 2"
    assert page.locator("mjx-container").count() == 4 and unharmed(page)


def test_a_number_is_judged_by_its_factor(opened):
    page = opened()
    for guess, said in (("43.9", "✗ Too small: it is 66."), ("44", "✓ Close: it is 66."), ("66", "✓ Close"), ("99", "✓ Close"),
                        ("99.1", "✗ Too large: it is 66."), ("0", "✗ Too small"), ("-70", "✗ Too small")):
        page.get_by_label("Your guess").fill(guess)
        assert shown(page, "predict-doubling") == ""
        page.get_by_role("button", name="Check").click()
        assert shown(page, "predict-doubling").startswith(said) and note(page, "predict-doubling") == f"Your first answer: {guess}"
        page.get_by_role("button", name="Forget my answer").click()


def test_no_number_is_no_answer(opened):
    page = opened()
    page.get_by_role("button", name="Check").click()
    assert shown(page, "predict-doubling") == "" and page.evaluate("document.activeElement.type") == "number" and unharmed(page)


def test_answers_are_kept_on_this_machine_until_they_are_forgotten(opened):
    page = opened()
    page.get_by_label("about a tenth").check()
    page.get_by_label("nearly all").check()
    page.get_by_label("Your guess").fill("50")
    page.get_by_label("Your guess").press("Enter")
    said = [(shown(page, label), note(page, label)) for label in ("predict-far-past", "predict-doubling")]
    for _ in range(2):
        page.reload(wait_until="networkidle")
        assert [(shown(page, label), note(page, label)) for label in ("predict-far-past", "predict-doubling")] == said
        assert page.get_by_label("nearly all").is_checked() and page.get_by_label("Your guess").input_value() == "50"
    assert page.locator("mjx-container").count() == 4
    for label in ("predict-far-past", "predict-doubling"):
        page.locator(f"#{label}").get_by_role("button", name="Forget my answer").click()
        assert shown(page, label) == "" and note(page, label) == "" and page.evaluate("document.activeElement.name") == label
    page.reload()
    assert page.locator("input:checked").count() == 0 and shown(page) == "" and page.get_by_label("Your guess").input_value() == ""
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('prediction'))") == [] and unharmed(page)


def test_what_is_stored_and_no_answer_is_ignored(opened):
    page = opened()
    for kept in ("nonsense", "null", "7", '{"first": 1, "now": 9}', '{"first": "x", "now": 2}', '{"now": 2}', '{"first": 1.5, "now": 1.5}'):
        page.evaluate("(kept) => localStorage.setItem('prediction:/predict-far-past', kept)", kept)
        page.reload(wait_until="domcontentloaded")
        assert shown(page) == "" and page.locator("input:checked").count() == 0, kept
        page.get_by_label("nearly all").check()
        assert shown(page).startswith("✓ Right.") and note(page) == "Your first answer: 3"
    page.wait_for_load_state("networkidle")
    assert unharmed(page)


def test_where_storage_is_forbidden_a_question_can_be_answered(book, new_page):
    page = new_page()
    page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } })")
    page.goto(f"{book.as_uri()}/part/page.html")
    page.locator("#predict-far-past").get_by_text("about a tenth").click()
    assert shown(page).startswith("✗ Wrong.") and note(page) == "Your first answer: 1"


def test_a_page_opened_as_a_file_keeps_answers(book, new_page):
    page = new_page()
    page.goto(f"{book.as_uri()}/part/page.html")
    page.get_by_label("nearly all").check()
    page.reload()
    assert shown(page).startswith("✓ Right.") and unharmed(page)
    assert page.evaluate("Object.keys(localStorage)").count(f"prediction:{book.as_uri().removeprefix('file://')}/predict-far-past") == 1


def test_all_goes_by_keyboard_and_the_focus_is_seen(opened):
    page = opened()
    page.locator("#predict-far-past input").first.focus()
    page.keyboard.press("Space")
    assert shown(page).startswith("✗ Wrong.")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert shown(page).startswith("✓ Right.") and note(page) == "Your first answer: 1"
    seen = "parseFloat(getComputedStyle(document.activeElement).outlineWidth) >= 2 && getComputedStyle(document.activeElement).outlineStyle === 'solid'"
    assert page.evaluate(seen)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")  # past the formula, which has a menu
    assert page.evaluate("document.activeElement.textContent") == "Forget my answer" and page.evaluate(seen)
    page.keyboard.press("Enter")
    assert shown(page) == "" and page.evaluate("document.activeElement.name") == "predict-far-past"


def test_without_javascript_the_answers_unfold(opened):
    page = opened(java_script_enabled=False)
    details = page.locator("#predict-far-past details")
    assert not details.locator("li").first.is_visible() and not page.get_by_role("button", name="Check").is_visible()
    details.get_by_text("The answers").click()
    assert [text[:8] for text in details.locator("li").all_inner_texts()] == ["✗ Wrong.", "✗ Wrong.", "✓ Right."]


@pytest.mark.parametrize("javascript", [True, False])
def test_on_paper_all_is_said(opened, javascript):
    page = opened(java_script_enabled=javascript)
    if javascript:
        page.get_by_label("about half").check()
    page.emulate_media(media="print")
    for question in page.locator("fieldset.prediction").all():
        said = question.locator(":is([role=status], details) li")
        assert said.count() == 3 and all(item.is_visible() for item in said.all())
        assert said.first.evaluate("(item) => getComputedStyle(item).listStyleType") == "decimal"
        assert not question.locator("button, summary").locator("visible=true").count()


@pytest.mark.parametrize("dark", [False, True])
def test_contrast_names_and_roles(opened, dark):
    page = opened(script=DARK if dark else "")
    assert page.evaluate("document.documentElement.dataset.theme") == ("dark" if dark else "light")
    page.get_by_label("about half").check()
    page.get_by_label("Your guess").fill("200")
    page.get_by_label("Your guess").press("Enter")
    assert unharmed(page)
    found = Axe().run(page, context="fieldset.prediction").response
    assert found["passes"] and [(fault["id"], node["html"]) for fault in found["violations"] for node in fault["nodes"]] == []


def test_a_phone_shows_all(opened):
    page = opened(viewport={"width": 360, "height": 740})
    page.get_by_label("about half").check()
    page.get_by_label("Your guess").fill("200")
    page.get_by_label("Your guess").press("Enter")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    heights = page.locator(".prediction label:has([type=radio]), .prediction-guess :is(input, button)").evaluate_all("(all) => all.map((e) => e.getBoundingClientRect().height)")
    assert len(heights) == 5 and min(heights) >= 42


def test_the_teachers_list(opened):
    """Every question with its answers, and links that lead where they did."""
    page = opened("teach")
    listed = page.locator("article .rubric ~ ol > li")
    assert page.locator("article .rubric").all_inner_texts() == ["2. A page"] and listed.count() == 2
    text = listed.first.inner_text()
    for piece in ("At a scale of", "predict-far-past", "about a tenth", "✗ Wrong. You may have thought", "nearly all of it", "✓ Right. The factors"):
        assert piece in text
        text = text[text.index(piece):]
    assert page.locator("mjx-container").count() == 4, "its formulas are typeset"
    assert "✗ Too large: it is 66." in listed.last.inner_text()
    links = listed.locator("a").evaluate_all("(all) => all.map((link) => link.getAttribute('href'))")
    assert links == ["part/page.html#predict-far-past", "part/page.html#predict-doubling", "part/page.html#a-section", "#"]
    listed.get_by_role("link", name="predict-doubling").click()
    page.wait_for_url("**/part/page.html#predict-doubling")
    assert unharmed(page)


@pytest.fixture
def plain(tmp_path):
    """A book with a list, a page with two questions, and one with another: its folder."""
    (tmp_path / "conf.py").write_text("extensions = ['myst_parser', 'predictions.sphinx_ext']\nmyst_enable_extensions = ['colon_fence']\nexclude_patterns = ['_build']\n")
    (tmp_path / "index.md").write_text("# Book\n\n```{toctree}\npage\nanother\nteach\n```\n")
    (tmp_path / "teach.md").write_text("# Teach\n\n```{predict-list}\n```\n")
    (tmp_path / "page.md").write_text("# Page\n\n" + predict() + predicted() + number(label="predict-b"))
    (tmp_path / "another.md").write_text("# Another\n\n" + predict("predict-c") + predicted("predict-c"))
    return tmp_path


def test_the_list_follows_a_change(plain):
    page, made = plain / "page.md", plain / "_build" / "html" / "teach.html"
    assert build(plain, "-W") == (0, "") and "What?" in made.read_text()
    assert re.findall(r'"rubric">(\w+)|html#(predict-\w)', made.read_text()) == [  # in the order of the book
        ("Page", ""), ("", "predict-a"), ("", "predict-b"), ("Another", ""), ("", "predict-c")]
    made.write_text("as before")
    page.write_text(page.read_text() + "Prose.\n")
    assert build(plain, "-W") == (0, "") and made.read_text() == "as before"
    page.write_text(page.read_text().replace("What?", "How much?"))
    assert build(plain, "-W") == (0, "") and "How much?" in made.read_text()


@pytest.mark.parametrize("builder, ending", [("text", "txt"), ("latex", "tex"), ("man", "1"), ("epub", "xhtml")])
def test_other_builders_print_lists(plain, builder, ending):
    code, output = build(plain, builder=builder)
    assert code == 0 and "page.md" not in output and "unknown node" not in output, output
    text = "\n".join(path.read_text() for path in (plain / "_build" / builder).rglob(f"*.{ending}"))
    for piece in ("What?", "Item 3.", "Wrong.", "Right.", "Too small: it is 66."):
        assert text.count(piece) >= 2, "in the chapter, and in the list"


def test_the_script_and_the_style_are_small():
    import gzip

    static = BOOK / "predictions" / "static"
    assert len(gzip.compress(b"".join(path.read_bytes() for path in sorted(static.iterdir())))) <= 3000
