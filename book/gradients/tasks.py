"""Tasks for sequence models: inputs, and the answers a model should learn to give (chapters 4 and 11).

A task is a function that draws a batch from a numpy.random.Generator: inputs x (T, B, D), time first,
and targets y. How far back the model has to look is an argument. Here so far:

agreement   Dog ... has, Dogs ... have    (source 0, its last example)
"""

from dataclasses import dataclass

import numpy as np

from gradients.validation import as_integer, check_generator

__all__ = ["VOCABULARY", "Sentences", "agreement"]

_SUBJECTS, _VERBS = ("Dog", "Dogs"), ("has", "have")
_PLACES, _TIMES = ("here", "outside", "upstairs"), ("today", "tonight", "now")
_PREPOSITIONS, _ARTICLE = ("near", "by", "behind", "beside"), ("the",)
_NOUNS = ("barn", "barns", "gate", "gates", "house", "houses", "tree", "trees")

VOCABULARY = (*_SUBJECTS, *_VERBS, *_PLACES, *_TIMES, *_PREPOSITIONS, *_ARTICLE, *_NOUNS)


@dataclass(eq=False)
class Sentences:
    """A batch of B sentences of n + 2 words: a subject, n words of filler, a verb.

    words  (n+2, B), integers, indices into VOCABULARY
    x      (n+1, B, V), float64: every word but the last, one-hot, V = len(VOCABULARY)
    y      (n+1, B), integers: y[t] is the word that follows x[t], so y[-1] is the verb
    """

    words: np.ndarray
    x: np.ndarray
    y: np.ndarray

    def text(self, b: int) -> str:
        """Sentence b, written out: "Dogs near the barn have"."""
        return " ".join(VOCABULARY[word] for word in self.words[:, b])


def agreement(filler: int, sentences: int, *, rng: np.random.Generator, subject: str | None = None) -> Sentences:
    """Sentences whose last word must agree with their first (source 0): Dog ... has, Dogs ... have.

    filler     n >= 0, how many words stand between subject and verb; the lag at which the subject is needed
    sentences  B >= 1
    subject    "Dog" or "Dogs" in every sentence; None: each with probability 1/2

    The filler is n % 3 adverbs and n // 3 phrases such as "near the barn". Each word is drawn uniformly from those
    that may stand in its place, barn or barns whatever the subject is: a noun close to the verb says nothing
    about it, but may attract it (Bock & Miller 1991).
    The same seed draws the same filler for every `subject`: such batches differ in the first and last word only.
    ValueError: counts that aren't such integers, another subject, an rng that isn't a numpy.random.Generator.
    """
    filler, sentences = as_integer("filler", filler, 0), as_integer("sentences", sentences, 1)
    check_generator(rng)
    if not (subject is None or isinstance(subject, str) and subject in _SUBJECTS):
        raise ValueError(f"subject: got {subject!r}, want one of {', '.join(_SUBJECTS)}, or None")
    adverbs, phrase = (_PLACES, _TIMES)[:filler % 3], (_PREPOSITIONS, _ARTICLE, _NOUNS)
    index = {word: i for i, word in enumerate(VOCABULARY)}
    words = np.empty((filler + 2, sentences), dtype=np.int64)
    for step, choices in enumerate((_SUBJECTS, *adverbs, *phrase * (filler // 3))):
        words[step] = rng.choice([index[word] for word in choices], sentences)
    if subject is not None:
        words[0] = index[subject]
    words[-1] = np.where(words[0] == index["Dog"], index["has"], index["have"])
    return Sentences(words, x=np.eye(len(VOCABULARY))[words[:-1]], y=words[1:])
