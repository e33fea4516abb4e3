"""Sphinx extension: predict, then look.

Add ``predictions.sphinx_ext`` to the extensions of a book. A question stands before what answers it,

    :::{predict} predict-far-past
    How much of the gradient comes from the ten nearest steps?

    1. about a tenth
    2. about half
    3. nearly all of it
    :::

and its answer after it, with what is to be said on each choice:

    :::{predicted} predict-far-past
    :right: 3
    :proof: share_of_nearest > 0.9

    1. You may have ...
    2. ...
    3. ...
    :::

A question without a list asks for a number: then ``right`` is that number, ``within`` the factor up to which a guess is close,
and the three items are for a guess that is too small, close and too large. ``proof`` is Python in the names of the cells above;
tests/predictions/test_proofs.py evaluates it.

On an HTML page the question becomes radio buttons or a number field, the answer goes to its question, and what the reader
chose stays in the reader's browser. Other builders print lists. ``predict-list`` lists all questions of the book with their
answers. Whatever is wrong with a question is a warning, which says where, and the question is left as it is written.
"""

from __future__ import annotations

import ast
import re
from html import escape
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

_STATIC = Path(__file__).parent / "static"
FEWEST, MOST = 3, 5  # answers
WORDS = {  # all that the extension itself says on a page
    "right": "✓ Right.", "wrong": "✗ Wrong.",
    "small": "✗ Too small: it is {}.", "close": "✓ Close: it is {}.", "large": "✗ Too large: it is {}.",
    "guess": "Your guess", "check": "Check", "answers": "The answers", "first": "Your first answer:", "forget": "Forget my answer",
}
logger = logging.getLogger(__name__)


class prediction(nodes.container):
    """A question; once it has all that belongs to it, its id is its label."""


class asked(nodes.paragraph):
    """The first paragraph of a question."""


class choice(nodes.paragraph):
    """One of its answers; attributes: label, number."""


class guess(nodes.container):
    """Where a number is to be guessed; attribute: label."""


class feedback(nodes.container):
    """The list of what is said on each answer."""


class predicted(nodes.container):
    """A `predicted` as it is written; attributes: label and its options."""


class listed(nodes.container):
    """The place of a ``predict-list``."""


_HTML = {  # what stands before and after what is in a node; other builders print it as the kind of node that it is made of
    prediction: ('<fieldset class="prediction" id="{label}" data-right="{right}" data-within="{within}">\n',
                 '<p class="prediction-note" hidden>{first} <b></b> <button type="button">{forget}</button></p></fieldset>\n'),
    asked: ("<legend>", "</legend>\n"),
    choice: ('<label><input type="radio" name="{label}" value="{number}" autocomplete="off"><span>', "</span></label>"),
    guess: ('<p class="prediction-guess"><label>{guess} <input type="number" name="{label}" step="any" required autocomplete="off"></label>'
            '<button type="button" hidden>{check}</button></p>\n', ""),
    feedback: ("<details><summary>{answers}</summary>", '</details><div role="status"></div>\n'),
}


def setup(app):
    app.add_directive("predict", Predict)
    app.add_directive("predicted", Predicted)
    app.add_directive("predict-list", PredictList)
    for node in _HTML:
        app.add_node(node, html=(_visit, _depart))
    app.add_post_transform(_Listing)
    app.connect("builder-inited", _add_static_path)
    app.connect("doctree-read", _join)
    app.connect("env-updated", _lists_to_write)
    app.connect("env-check-consistency", _refuse_namesakes)
    app.connect("html-page-context", _add_script)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}


def _add_static_path(app):
    app.config.html_static_path.append(str(_STATIC))


def _visit(self, node):
    _write(self, node, 0)


def _depart(self, node):
    _write(self, node, 1)


def _write(translator, node, end):
    if isinstance(node, prediction) and not node["ids"]:
        return  # something is wrong with it: it is shown as it is written
    attributes = {name: escape(str(value)) for name, value in node.attributes.items()}
    translator.body.append(_HTML[type(node)][end].format(**WORDS | attributes))


def _add_script(app, pagename, templatename, context, doctree):
    if doctree is not None and any(node["ids"] for node in doctree.findall(prediction)):
        app.builder.add_css_file("predictions.css")
        app.builder.add_js_file("predictions.js", defer="defer")


# What is written --------------------------------------------------------------------

class Predict(SphinxDirective):
    has_content, required_arguments = True, 1
    node = prediction

    def run(self):
        node = self.node("", label=self.arguments[0], **self.options)
        self.set_source_info(node)
        self.state.nested_parse(self.content, self.content_offset, node)
        return [node]


class Predicted(Predict):
    option_spec = dict.fromkeys(("right", "within", "proof"), directives.unchanged)
    node = predicted


class PredictList(SphinxDirective):
    def run(self):
        self.env.metadata[self.env.docname]["predict-list"] = True
        return [listed()]


class Fault(Exception):
    """What is wrong with a question."""


def _join(app, doctree):
    """Put each answer of a page to its question; what cannot be joined is a warning."""
    questions, answered = {}, set()
    for node in list(doctree.findall(lambda node: isinstance(node, (prediction, predicted)))):
        try:
            if isinstance(node, prediction):
                _note(node, questions)
            else:
                _answer(node, questions, answered)
        except Fault as fault:
            _warn(node["label"], fault, node)
    for label, node in questions.items():
        if label not in answered:
            _warn(label, "the question is never answered: no {predicted} below it has its label", node)
    found = {label: (f"{node.source}:{node.line}", node.astext()) for label, node in questions.items()}
    app.env.metadata[app.env.docname]["predictions"] = found
    if any(doctree.findall(listed)):  # which Sphinx doesn't see: the list is made later
        app.env.get_domain("math").data["has_equations"][app.env.docname] = True


def _note(question, questions):
    label = question["label"]
    if label in questions:
        raise Fault("the label is doubled: another question of this page has it")
    questions[label] = question
    if not re.fullmatch("predict-[a-z0-9-]+", label):
        raise Fault("wanted a label that begins with predict- and goes on with small letters, digits and hyphens")


def _answer(answer, questions, answered):
    label = answer["label"]
    if label not in questions:
        raise Fault("it is answered, but there is no such question above it on this page")
    if label in answered:
        raise Fault("the question is answered twice")
    answered.add(label)
    _complete(questions[label], answer)
    answer.parent.remove(answer)


def _warn(label, fault, location):
    logger.warning("%s: %s", label, fault, location=location, type="predictions")


def _complete(question, answer):
    """Make one of a question and its answer, after all has been checked."""
    if not question.children or not isinstance(question[0], nodes.paragraph):
        raise Fault("the question must begin with a paragraph")
    if any(isinstance(child, nodes.bullet_list) for child in question) or any(isinstance(child, nodes.enumerated_list) for child in question[:-1]):
        raise Fault("the list of the answers must be numbered, and end the question")
    choices = _items(question[-1], "an answer") if isinstance(question[-1], nodes.enumerated_list) else None
    if len(answer.children) != 1 or not isinstance(answer[0], nodes.enumerated_list):
        raise Fault("wanted one numbered list, of what is said on each answer, and nothing else")
    said = _items(answer[0], "what is said on an answer")
    _check_proof(answer.get("proof"))
    verdicts = _verdicts_on_choices(choices, said, answer) if choices else _verdicts_on_a_number(said, answer)

    label = question["label"]
    question.attributes.update(ids=[label], right=answer["right"], within=answer.get("within", ""))
    question[0].replace_self(asked("", "", *question[0].children))
    if choices:
        for number, paragraph in enumerate(choices, 1):
            paragraph.replace_self(choice("", "", *paragraph.children, label=label, number=number))
    else:
        question += guess(label=label)
    for paragraph, (name, verdict) in zip(said, verdicts, strict=True):
        kind = "right" if name in ("right", "close") else "wrong"
        paragraph.insert(0, [nodes.strong("", verdict, classes=[f"prediction-{kind}"]), nodes.Text(" ")])
    question += feedback("", answer[0])


def _items(written, what):
    """The paragraphs of a list, one for each item."""
    if any(len(item.children) != 1 or not isinstance(item[0], nodes.paragraph) for item in written):
        raise Fault(f"{what} must be one paragraph")
    return [item[0] for item in written]


def _check_proof(proof):
    if not proof:
        raise Fault("it has no proof; wanted a Python expression, which a test evaluates")
    try:
        ast.parse(proof, mode="eval")
    except SyntaxError:
        raise Fault(f"proof is {proof!r}; wanted a Python expression") from None


def _verdicts_on_choices(choices, said, answer):
    if not FEWEST <= len(choices) <= MOST:
        raise Fault(f"the question has {len(choices)} answers; wanted {FEWEST} to {MOST}")
    if len(said) != len(choices):
        raise Fault(f"the question has {len(choices)} answers, but {len(said)} are spoken about; wanted as many")
    if "within" in answer:
        raise Fault("within is for a question that asks for a number, without a list of answers")
    right = answer.get("right", "")
    if right not in map(str, range(1, len(choices) + 1)):
        raise Fault(f"right is {right!r}; wanted a number from 1 to {len(choices)}")
    names = ["right" if str(number) == right else "wrong" for number in range(1, len(choices) + 1)]
    return [(name, WORDS[name]) for name in names]


def _verdicts_on_a_number(said, answer):
    if len(said) != 3:
        raise Fault(f"{len(said)} items; wanted 3, for a guess that is too small, close and too large")
    if _number(answer, "right") == 0:
        raise Fault("right is 0, of which no guess is within a factor; ask for another number")
    if _number(answer, "within") <= 1:
        raise Fault(f"within is {answer['within']}; wanted a factor above 1")
    return [(name, WORDS[name].format(answer["right"])) for name in ("small", "close", "large")]


def _number(answer, name):
    written = answer.get(name, "")
    if not re.fullmatch(r"-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", written):  # a number for the page's script, too
        raise Fault(f"{name} is {written!r}; wanted a number")
    return float(written)


# The whole book ---------------------------------------------------------------------

def _refuse_namesakes(app, env):
    first = {}
    for name in sorted(env.metadata):
        for label, (location, _) in env.metadata[name].get("predictions", {}).items():
            if first.setdefault(label, name) != name:
                _warn(label, f"the label is doubled: a question of {first[label]} has it, too", location)


def _lists_to_write(app, env):
    """The pages with a list, if the questions are not those that it shows."""
    now = {name: (env.titles[name].astext(), data["predictions"]) for name, data in env.metadata.items() if data.get("predictions")}
    changed = now != getattr(env, "predictions", None)
    env.predictions = now
    return [name for name, data in env.metadata.items() if changed and "predict-list" in data]


class _Listing(SphinxPostTransform):
    """Fills the lists, in the order of the book, before references are resolved."""

    default_priority = 5

    def run(self, **kwargs):
        for place in list(self.document.findall(listed)):
            for name in self.env.collect_relations():
                questions = [node.deepcopy() for node in self.env.get_doctree(name).findall(prediction) if node["ids"]]
                if questions:
                    number = ".".join(map(str, self.env.toc_secnumbers.get(name, {}).get("") or ()))
                    title = [nodes.Text(f"{number}. " if number else ""), *self.env.titles[name].deepcopy().children]
                    place += nodes.rubric("", "", *title, **{"heading-level": 3})
                    place += nodes.enumerated_list("", *(self._item(name, question) for question in questions), enumtype="arabic")

    def _item(self, name, question):
        """A question of the page `name`, with its answers and what is said on each."""
        page = self.app.builder.get_relative_uri(self.env.docname, name)
        for node in question.findall(addnodes.pending_xref):
            node["refdoc"] = self.env.docname
        for node in question.findall(nodes.reference):
            if "refid" in node:
                node["refuri"] = f"{page}#{node.attributes.pop('refid')}"
        for answer, item in zip(question.findall(choice), next(question.findall(feedback))[0]):
            item.insert(0, nodes.paragraph("", "", *answer.children))
        link = nodes.reference("", "", nodes.literal("", question["label"]), internal=True, refuri=f"{page}#{question['label']}")
        own = [child for child in question if not isinstance(child, (asked, nodes.enumerated_list, guess, feedback))]
        return nodes.list_item("", nodes.paragraph("", "", *question[0].children), *own, nodes.paragraph("", "", link), *question[-1].children)
