"""The search of the built book finds what a reader types: for each query the page, and the section, that must come first."""

from __future__ import annotations

import re
from types import SimpleNamespace
from urllib.parse import quote

import pytest
import yaml
from bs4 import BeautifulSoup

import chapters
import pages
from finding import sphinx_ext as finding

# What a student types -> where the answer is. A term leads to where it is explained, not to where it occurs most.
FIRST = {
    # the questions of the book
    "vanishing gradient": "02_vanishing_in_depth",  # where the word is explained; chapter 4 is the second case, through time
    "vanishing gradients": "02_vanishing_in_depth",
    "vanishing gradient problem": "02_vanishing_in_depth",
    "Vanish": "02_vanishing_in_depth",
    "exploding gradient": "05_exploding_and_clipping",
    "exploding gradients": "05_exploding_and_clipping",
    "why do gradients vanish?": "02_vanishing_in_depth",
    "vanishing gradients in an RNN": "04_what_vanishes",
    "backprop": "01_backpropagation#the-same-in-matrices",
    "backpropagation": "01_backpropagation#the-same-in-matrices",
    "BPTT": "03_backpropagation_through_time#the-general-case",
    "backpropagation through time": "03_backpropagation_through_time#the-general-case",
    "truncated BPTT": "03_backpropagation_through_time#how-programs-truncate-in-practice",
    "teacher forcing": "03_backpropagation_through_time#teacher-forcing",
    "RNN": "03_backpropagation_through_time",
    "clip": "05_exploding_and_clipping#clipping",
    "clipping": "05_exploding_and_clipping#clipping",
    "gradient clipping": "05_exploding_and_clipping#clipping",
    "clip by value": "05_exploding_and_clipping#clipping",
    "momentum": "05_exploding_and_clipping#in-which-order",
    "Adam": "05_exploding_and_clipping#clipping-with-adam",
    "ReLU": "06_activations",
    "dead units": "06_activations#dead-units",
    "dying ReLU": "06_activations#dead-units",
    "tanh": "06_activations",
    "Xavier": "07_initialisation#which-gain",
    "Glorot": "07_initialisation#which-gain",
    "He initialisation": "07_initialisation#which-gain",
    "He initialization": "07_initialisation#which-gain",
    "Kaiming": "07_initialisation#which-gain",
    "orthogonal initialization": "07_initialisation#the-same-matrix-at-every-step",
    "initialization": "07_initialisation",
    "weight initialization": "07_initialisation",
    "regularization": "07_initialisation",
    "dropout": "07_initialisation#dropout",
    "weight decay": "07_initialisation#l2-and-l1-smaller-weights",
    "batch norm": "08_normalisation_and_residuals#batch-normalisation-by-hand",
    "BatchNorm": "08_normalisation_and_residuals#batch-normalisation-by-hand",
    "batch normalization": "08_normalisation_and_residuals#batch-normalisation-by-hand",
    "layer norm": "08_normalisation_and_residuals#layer-normalisation",
    "residual": "08_normalisation_and_residuals#residual-connections",
    "skip connection": "08_normalisation_and_residuals#residual-connections",
    "ResNet": "08_normalisation_and_residuals#residual-connections",
    "LSTM": "09_lstm_paths#the-cell",
    "long short term memory": "09_lstm_paths#the-cell",
    "forget gate": "09_lstm_paths#the-cell",
    "what is a forget gate": "09_lstm_paths#the-cell",
    "CEC": "09_lstm_paths#the-carousel-and-what-the-algorithm-of-1997-cut",
    "constant error carousel": "09_lstm_paths#the-carousel-and-what-the-algorithm-of-1997-cut",
    "GRU": "10_gru#one-state-two-gates",
    "update gate": "10_gru#one-state-two-gates",
    "copy task": "11_long_range#four-tasks",
    "adding problem": "11_long_range#four-tasks",
    "PyTorch": "12_pytorch",
    "clip_grad_norm_": "12_pytorch#clipping-in-pytorch",
    "detach": "12_pytorch#truncation-is-one-word",
    "attention": "13_today#a-path-of-length-one",
    "Mamba": "13_today#where-mamba-has-its-gate",
    "Lyapunov": "04_what_vanishes#the-rate-of-a-long-product",
    "learning rate": "01_backpropagation#one-step-downhill",
    "gradient descent": "01_backpropagation#one-step-downhill",
    "gradient check": "01_backpropagation#is-it-right-check-by-differences",
    "softmax": "01_backpropagation#softmax-and-cross-entropy",
    # mathematics that the book takes for granted
    "chain rule": "prerequisites#jacobians-and-the-chain-rule",
    "Jacobian": "prerequisites#jacobians-and-the-chain-rule",
    "spectral radius": "prerequisites#eigenvalues-and-the-spectral-radius",
    "singular value": "prerequisites#singular-values-a-circle-becomes-an-ellipse",
    "SVD": "prerequisites#singular-values-a-circle-becomes-an-ellipse",
    "eigenvalue": "prerequisites#eigenvalues-and-the-spectral-radius",
    # letters
    "gamma": "notation#symbols-that-are-always-the-same",
    "γ": "notation#symbols-that-are-always-the-same",
    "lambda": "notation#a-recurrent-network",
    "rho": "notation#how-big-is-a-matrix",
    "σ": "notation#symbols-that-are-always-the-same",
    "delta": "notation#a-deep-network",
    "eta": "notation#symbols-that-are-always-the-same",
    "tau": "notation#a-recurrent-network",
    "phi": "notation#symbols-that-are-always-the-same",
    "W_hh": "notation#a-recurrent-network",
    "Whh": "notation#a-recurrent-network",
    "dW_hh": "notation#a-recurrent-network",
    "h_t": "notation#a-recurrent-network",
    # the book itself
    "problem set": "problem_sets",
    "problem set 4": "assignments/release/ps4/ps4",
    "homework": "problem_sets",
    "grading": "teach",
    "syllabus": "course",
    "glossary": "glossary",
    "notation": "notation",
    "references": "references",
    "install": "index#how-to-use-it",
    "Pyodide": "running",
}


@pytest.fixture(scope="module")
def visit(address, browser):
    """``visit(query)``: the results as (page, title), the best first. ``visit.page`` shows them, with what their pages say."""
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(20_000)
    pages.watch(page)

    def ask(query):
        page.goto(f"{address}/search.html?q={quote(query)}")
        page.locator("#search-results .search-summary").filter(has_text=re.compile(r"\S")).wait_for()  # at the end of the search
        links = page.locator("#search-results ul.search > li > a").evaluate_all("links => links.map((link) => [link.getAttribute('href'), link.innerText])")
        return [(re.sub(r"\.html", "", href).removeprefix("book/"), title) for href, title in links]

    ask.page = page
    yield ask
    context.close()


@pytest.fixture(scope="module")
def search(visit):
    """As `visit`, without the summaries: for each of them Sphinx loads a whole page."""
    def ask(query):
        visit.page.route("**/book/**", lambda route: route.fulfill(body="<div role=main>a page</div>", content_type="text/html"))
        try:
            return visit(query)
        finally:
            visit.page.unroute("**/book/**")

    return ask


@pytest.mark.parametrize("query", FIRST)
def test_the_right_page_comes_first(query, search):
    found = search(query)
    assert found and found[0][0] == FIRST[query], found[:5]


def test_the_search_is_quiet_and_alone(visit):
    visit.page.messages.clear()
    assert len(visit("clipping the gradient")) > 5
    visit.page.wait_for_load_state("networkidle")
    assert pages.console_errors(visit.page.messages) == []
    assert pages.foreign_requests(visit.page.requests) == []


def test_every_place_in_the_table_exists(site):
    for place in set(FIRST.values()):
        name, _, anchor = place.partition("#")
        page = BeautifulSoup((site / "book" / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
        assert not anchor or page.find(id=anchor), place


@pytest.mark.parametrize("query", ["LSTM", "gradient", "clipping", "dropout", "Jacobian", "attention", "backpropagation", "tanh"])
def test_chapters_come_before_problem_sets_and_lists(query, search):
    """Up to the last page that is known for the query; what only holds the word follows."""
    places = [place.partition("#")[0] for place, title in search(query) if ">" not in title and not re.search(query, title, flags=re.I)]
    late = [bool(re.match("assignments|references|teach|course|sources|index|your_figures|problem_sets", place)) for place in places]
    assert any(late) and late == sorted(late), places


def test_a_result_names_its_section(search):
    title = dict(search("forget gate"))
    assert title["09_lstm_paths#the-cell"] == "9. The LSTM’s paths > The cell"
    assert title["glossary#term-forget-gate"] == "Glossary > forget gate"


def test_a_letter_is_explained_in_the_list(visit):
    assert visit("γ")[0][1] == "Notation > γ"
    first = visit.page.locator("#search-results li").first.inner_text()
    assert "the steepest slope of an activation" in first


def test_a_page_that_only_holds_a_word_says_in_which_section(visit):
    """And its link leads there."""
    visit("Wilson")
    section = visit.page.locator("#search-results p.context", has_text="In ").locator("a").first
    section.wait_for()
    assert "#" in section.get_attribute("href")
    section.click()
    assert "Wilson" in visit.page.locator(":target").inner_text()


@pytest.mark.parametrize("query", ["qwxyz", "the of"])
def test_nothing_found_says_what_to_try(query, visit):
    assert visit(query) == []
    said = visit.page.locator(".finding-nothing")
    assert "Try one word" in said.inner_text()
    said.get_by_role("link", name="glossary").click()
    assert visit.page.locator("article h1").inner_text().startswith("Glossary")


def test_a_query_is_text(visit):
    visit("<img src=x onerror=document.title='broken'> LSTM")
    assert visit.page.title() != "broken"


def test_the_search_in_the_header_leads_there(address, page):
    page.goto(f"{address}/book/03_backpropagation_through_time.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("forget gate")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=forget+gate")
    assert page.locator("#search-results li a").first.get_attribute("href") == "book/09_lstm_paths.html#the-cell"


def test_the_search_works_from_a_file(site, page):
    page.goto((site / "search.html").as_uri() + "?q=clipping")
    assert page.locator("#search-results li a").first.get_attribute("href") == "book/05_exploding_and_clipping.html#clipping"


def parts(site):
    words = yaml.safe_load((chapters.BOOK / "finding" / "words.yml").read_text(encoding="utf-8"))
    names = {finding.GLOSSARY, finding.NOTATION, *(target.partition("#")[0] for target in words["pages"])}
    return words, {name: BeautifulSoup((site / f"{name}.html").read_text(encoding="utf-8"), "html.parser") for name in names}


@pytest.mark.parametrize(("part", "name", "said"), [
    ("pages", "book/14_nowhere", "no book/14_nowhere"), ("pages", "book/10_gru#nowhere", "no book/10_gru#nowhere"),
    ("terms", "no such term", "no terms of the glossary: no such term"),
])
def test_a_wrong_line_of_the_list_is_an_error(part, name, said, site):
    words, parsed = parts(site)
    words[part][name] = ["anything"]
    with pytest.raises(ValueError, match=said):
        finding.find(words, parsed)


def test_every_term_and_every_letter_is_known(site):
    words, parsed = parts(site)
    entries = finding.find(words, parsed)
    assert len([entry for entry in entries if entry["page"] == finding.GLOSSARY and entry["title"]]) == len(parsed[finding.GLOSSARY].select("dl.glossary > dt"))
    letters = {word for entry in entries if entry["page"] == finding.NOTATION for word in entry["words"]}
    assert letters >= {"gamma", "γ", "W_hh", "Whh", "h_t", "sigma_max", "y_hat", "dW_hh", "lambda", "Lambda", "rho", "ρ", "k_1", "beta_1"}


@pytest.mark.parametrize(("latex", "name"), [
    (r"W_{hh}", "W_hh"), (r"z^{(l)}", "z"), (r"\hat{y}_t", "y_t"), (r"\varphi'", "phi"), (r"\sigma_{\max}(A)", "sigma_max"),
    (r"\rho(A)", "rho"), (r"\operatorname{diag}(v)", None), (r"t - k", None), (r"\partial L / \partial W_{hh}", None),
])
def test_a_letter_as_one_types_it(latex, name):
    assert finding._plain(latex) == name


def test_a_change_of_the_words_reaches_the_site():
    """Sphinx writes nothing at all where no page has changed."""
    env = SimpleNamespace(all_docs=[finding.GLOSSARY, finding.NOTATION])
    app = SimpleNamespace(env=env)
    assert finding._changed(app, env) == [finding.GLOSSARY] and finding._changed(app, env) == []
    env.finding_version = "of another list"
    assert finding._changed(app, env) == [finding.GLOSSARY]
