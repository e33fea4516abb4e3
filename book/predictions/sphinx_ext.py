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
import math
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
    "link": "the question on its page",
}
logger = logging.getLogger(__name__)


class prediction(nodes.container):
    """A question with all that belongs to it; its attributes: label, right, and within if it asks for a number."""


class asked(nodes.paragraph):
    """The first paragraph of a question."""


class choice(nodes.paragraph):
    """One of its answers; attributes: label, number."""


class guess(nodes.container):
    """Where a number is to be guessed; attribute: label."""


class feedback(nodes.container):
    """A list: what is said on each answer."""


class predicted(nodes.container):
    """A `predicted` as it is written; attributes: label and its options."""


class listed(nodes.container):
    """The place of a ``predict-list``."""


def setup(app):
    app.add_directive("predict", Predict)
    app.add_directive("predicted", Predicted)
    app.add_directive("predict-list", PredictList)
    for node, visit, depart in (
            (prediction, _visit_prediction, _depart_prediction), (asked, _visit_asked, _depart_asked), (choice, _visit_choice, _depart_choice),
            (guess, _visit_guess, _depart_nothing), (feedback, _visit_feedback, _depart_feedback)):
        app.add_node(node, html=(visit, depart))  # other builders print them as the kinds of nodes that they are made of
    app.add_post_transform(_Listing)
    app.connect("builder-inited", _add_static_path)
    app.connect("doctree-read", _join)
    app.connect("env-updated", _lists_to_write)
    app.connect("env-check-consistency", _refuse_namesakes)
    app.connect("html-page-context", _add_script)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}


def _add_static_path(app):
    app.config.html_static_path.append(str(_STATIC))


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
    questions, answers, found = {}, {}, []
    for node in list(doctree.findall(lambda node: isinstance(node, (prediction, predicted)))):
        label, kind = node["label"], "predict" if isinstance(node, prediction) else "predicted"
        try:
            if kind == "predict":
                if not label.startswith("predict-"):
                    raise Fault("the label must begin with predict-")
                if label in questions:
                    raise Fault("the label is doubled: another question of this page has it")
                questions[label] = node
                found.append((label, node.source, node.line, node.astext()))
            elif label not in questions:
                raise Fault("there is no such question above it on this page")
            elif label in answers:
                raise Fault("the question is answered twice")
            else:
                answers[label] = node
                _complete(questions[label], node)
                found.append((label, node.astext(), node.attributes["right"]))
                node.parent.remove(node)
        except Fault as fault:
            _warn(kind, label, fault, node)
    for label in questions.keys() - answers.keys():
        _warn("predict", label, "the question is never answered: no predicted has its label", questions[label])
    app.env.metadata[app.env.docname]["predictions"] = found


def _warn(kind, label, fault, location):
    logger.warning("%s %r: %s", kind, label, fault, location=location, type="predictions")


def _complete(question, answer):
    """Make one of a question and its answer, after all has been checked."""
    if not question.children or not isinstance(question[0], nodes.paragraph):
        raise Fault("the question must begin with a paragraph")
    if any(isinstance(child, (nodes.enumerated_list, nodes.bullet_list)) for child in question[:-1]):
        raise Fault("the list of the answers must be numbered, and end the question")
    choices = _items(question[-1], "an answer") if isinstance(question[-1], nodes.enumerated_list) else None
    if len(answer.children) != 1 or not isinstance(answer[0], nodes.enumerated_list):
        raise Fault("wanted one numbered list, of what is said on each answer, and nothing else")
    said = _items(answer[0], "what is said on an answer")
    _check_proof(answer.get("proof"))
    verdicts = _verdicts_on_choices(choices, said, answer) if choices else _verdicts_on_a_number(said, answer)

    label = question["label"]
    question.update_basic_atts({"ids": [label]})
    question["right"] = answer["right"]
    question[0].replace_self(asked("", "", *question[0].children))
    if choices:
        for number, paragraph in enumerate(choices, 1):
            paragraph.replace_self(choice("", "", *paragraph.children, label=label, number=number))
    else:
        question["within"] = answer["within"]
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
    try:
        value = float(answer.get(name, ""))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise Fault(f"{name} is {answer.get(name, '')!r}; wanted a number")
    return value


# What a page shows ------------------------------------------------------------------

def _visit_prediction(self, node):
    if not node["ids"]:  # something is wrong with it
        return self.visit_container(node)
    data = {"data-right": node["right"]} | ({"data-within": node["within"]} if "within" in node else {})
    self.body.append(self.starttag(node, "fieldset", CLASS="prediction", **data))


def _depart_prediction(self, node):
    if not node["ids"]:
        return self.depart_container(node)
    self.body.append(f'<p class="prediction-note" hidden>{WORDS["first"]} <b></b> <button type="button">{WORDS["forget"]}</button></p></fieldset>\n')


def _visit_asked(self, node):
    self.body.append("<legend>")


def _depart_asked(self, node):
    self.body.append("</legend>\n")


def _visit_choice(self, node):
    self.body.append(f'<label><input type="radio" name="{escape(node["label"])}" value="{node["number"]}" autocomplete="off"> <span>')


def _depart_choice(self, node):
    self.body.append("</span></label>")


def _visit_guess(self, node):
    self.body.append(f'<p class="prediction-guess"><label>{WORDS["guess"]} <input type="number" name="{escape(node["label"])}" step="any" '
                     f'required autocomplete="off"></label> <button type="button" hidden>{WORDS["check"]}</button></p>')


def _depart_nothing(self, node):
    pass


def _visit_feedback(self, node):
    self.body.append(f'<details><summary>{WORDS["answers"]}</summary>')


def _depart_feedback(self, node):
    self.body.append('</details><div role="status"></div>')


def _add_script(app, pagename, templatename, context, doctree):
    if doctree is not None and any(node["ids"] for node in doctree.findall(prediction)):
        app.builder.add_css_file("predictions.css")
        app.builder.add_js_file("predictions.js", loading_method="defer")


# The whole book ---------------------------------------------------------------------

def _refuse_namesakes(app, env):
    first = {}
    for name in sorted(env.metadata):
        for label, source, line, *_ in (entry for entry in env.metadata[name].get("predictions", ()) if len(entry) == 4):
            if first.setdefault(label, name) != name:
                _warn("predict", label, f"the label is doubled: {first[label]} has it, too", f"{source}:{line}")


def _lists_to_write(app, env):
    """The pages with a list, if the questions are not those that it shows."""
    now = {name: data["predictions"] for name, data in env.metadata.items() if data.get("predictions")}
    changed = now != getattr(env, "predictions", None)
    env.predictions = now
    return [name for name, data in env.metadata.items() if changed and "predict-list" in data]


class _Listing(SphinxPostTransform):
    """Fills the lists, before references are resolved."""

    default_priority = 5

    def run(self, **kwargs):
        for place in list(self.document.findall(listed)):
            for name in self.env.collect_relations():
                questions = [node for node in self.env.get_doctree(name).findall(prediction) if node["ids"]]
                if questions:
                    title = self.env.titles[name].deepcopy()
                    place += nodes.rubric("", "", *title.children, **{"heading-level": 3})
                    place += nodes.enumerated_list("", *(self._item(name, node.deepcopy()) for node in questions), enumtype="arabic")

    def _item(self, name, question):
        """A question of the page `name`, with its answers and what is said on each."""
        here = self.env.docname
        for node in question.findall(addnodes.pending_xref):
            node["refdoc"] = here
        for node in question.findall(nodes.reference):
            if "refid" in node:
                node["refuri"] = f"{self.app.builder.get_relative_uri(here, name)}#{node['refid']}"
                del node["refid"]
        link = nodes.reference("", WORDS["link"], internal=True, refuri=f"{self.app.builder.get_relative_uri(here, name)}#{question['label']}")
        item = nodes.list_item("", *self._plain(question), nodes.paragraph("", "", link))
        answers = [nodes.paragraph("", "", *node.children) for node in question.findall(choice)]
        items = next(question.findall(feedback))[0]
        for entry, answer in zip(items, answers):
            entry.insert(0, answer)
        item += items
        return item

    def _plain(self, question):
        """The question itself, without its answers."""
        own = (child for child in question.children if not isinstance(child, (nodes.enumerated_list, guess, feedback)))
        return [nodes.paragraph("", "", *child.children) if isinstance(child, asked) else child for child in own]
