"""Tasks for sequence models: inputs, and the answers a model should learn to give (chapters 4 and 11).

A task is a function that draws a batch from a numpy.random.Generator: inputs x (T, B, D), time first,
and targets y. How far back the model has to look is an argument.

agreement       Dog ... has, Dogs ... have               (source 0, its last example)
adding          the sum of the two numbers that are marked   (Hochreiter & Schmidhuber 1997, experiment 4)
temporal_order  which of two symbols came first              (the same, experiment 6a)
copying         ten symbols, repeated after a pause          (the same problem in Arjovsky et al. 2016, section 4.1)
"""

from dataclasses import dataclass

import numpy as np

from gradients.validation import as_integer, check_generator

__all__ = ["CLASSES", "COPIED", "SYMBOLS", "VOCABULARY", "Batch", "Sentences", "adding", "agreement", "copying",
           "copying_baseline", "temporal_order"]

_SUBJECTS, _VERBS = ("Dog", "Dogs"), ("has", "have")
_PLACES, _TIMES = ("here", "outside", "upstairs"), ("today", "tonight", "now")
_PREPOSITIONS, _ARTICLE = ("near", "by", "behind", "beside"), ("the",)
_NOUNS = ("barn", "barns", "gate", "gates", "house", "houses", "tree", "trees")

VOCABULARY = (*_SUBJECTS, *_VERBS, *_PLACES, *_TIMES, *_PREPOSITIONS, *_ARTICLE, *_NOUNS)
_INDEX = {word: i for i, word in enumerate(VOCABULARY)}


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
    classes = [_SUBJECTS, *(_PLACES, _TIMES)[:filler % 3], *(_PREPOSITIONS, _ARTICLE, _NOUNS) * (filler // 3)]
    first = np.array([[_INDEX[choices[0]]] for choices in classes])  # words of a class have consecutive numbers
    count = np.array([[len(choices)] for choices in classes])
    words = np.empty((filler + 2, sentences), dtype=np.int64)
    words[:-1] = rng.integers(first, first + count, (filler + 1, sentences))
    if subject is not None:
        words[0] = _INDEX[subject]
    words[-1] = np.where(words[0] == _INDEX["Dog"], _INDEX["has"], _INDEX["have"])
    return Sentences(words, x=np.eye(len(VOCABULARY))[words[:-1]], y=words[1:])


SYMBOLS = ("a", "b", "c", "d", "X", "Y", "E", "B")  # of temporal_order: distractors, the two that count, first and last
CLASSES = ("XX", "XY", "YX", "YY")                  # Q, R, S, U in the paper
COPIED = 10                                         # symbols to remember in `copying`, each one of 8


@dataclass(eq=False)
class Batch:
    """B sequences of T steps.

    x  (T, B, D), float64
    y  what to answer: see the task
    """

    x: np.ndarray
    y: np.ndarray


def adding(length: int, sequences: int, *, rng: np.random.Generator, form: str = "2016") -> Batch:
    """Numbers pass by, two of them are marked: what is their sum? (Hochreiter & Schmidhuber 1997, section 5.4)

    length     T >= 2, steps of a sequence; with the form "1997" T >= 20
    sequences  B >= 1
    form       where the marks are, see below

    x  (T, B, 2): a number drawn uniformly from [0, 1), and a mark, 1 at two steps and 0 else
    y  (B, 1), float64, the sum of the two marked numbers, wanted after the last step

    "2016"  one of the first T // 2 steps, and one of the rest: the form of Arjovsky et al. 2016. The later mark may be
            at the last step
    "1997"  one of the first T // 10 steps, and another of the first T // 2: both are T - T // 2 steps or more before
            the end. With T = 100 these are the places of the paper, which draws from [-1, 1], wants (2 + their sum) / 4,
            which is half of ours, puts -1 as mark of the first and last step, and varies T by a tenth

    Who always answers 1 has a mean squared error of 1/6, the variance of the sum.
    ValueError: counts that aren't such integers, another form, an rng that isn't a numpy.random.Generator.
    """
    if form not in ("2016", "1997"):
        raise ValueError(f"form: got {form!r}, want '2016' or '1997'")
    T, B = as_integer("length", length, 2 if form == "2016" else 20), as_integer("sequences", sequences, 1)
    check_generator(rng)
    x, each = np.zeros((T, B, 2)), np.arange(B)
    x[:, :, 0] = rng.random((T, B))
    if form == "2016":
        one, other = rng.integers(T // 2, size=B), rng.integers(T // 2, T, size=B)
    else:
        one, other = rng.integers(T // 10, size=B), rng.integers(T // 2 - 1, size=B)
        other += other >= one  # one of the T // 2 - 1 that aren't marked yet
    x[one, each, 1] = x[other, each, 1] = 1
    return Batch(x, (x[one, each, 0] + x[other, each, 0])[:, None])


def temporal_order(length: int, sequences: int, *, rng: np.random.Generator) -> Batch:
    """Two symbols, each X or Y, among many others: in which order did they come? (H. & S. 1997, experiment 6a)

    length     T >= 10, steps of a sequence
    sequences  B >= 1

    x  (T, B, 8), one-hot, indices into SYMBOLS: first E, last B, X or Y at a step drawn uniformly from
       T // 10, ..., T // 5 and at one from T // 2, ..., 3 T // 5 (counted from 0), else one of a, b, c, d
    y  (B,), integers, indices into CLASSES, wanted after the last step

    With T = 100 these are the places of the paper, where the length also varies from 100 to 110. The program of
    Pascanu et al. 2013 (pascanur/trainingRNNs, tempOrder.py) scales them with T, too, without the last place of each
    interval: 10 to 19 and 50 to 59 at T = 100. It has six symbols, no E and no B.
    Guessing is right in a quarter of the cases.
    ValueError: counts that aren't such integers, an rng that isn't a numpy.random.Generator.
    """
    T, B = as_integer("length", length, 10), as_integer("sequences", sequences, 1)
    check_generator(rng)
    symbols, each = rng.integers(4, size=(T, B)), np.arange(B)
    symbols[0], symbols[-1] = SYMBOLS.index("E"), SYMBOLS.index("B")
    first, second = rng.integers(2, size=(2, B))
    symbols[rng.integers(T // 10, T // 5 + 1, size=B), each] = SYMBOLS.index("X") + first
    symbols[rng.integers(T // 2, 3 * T // 5 + 1, size=B), each] = SYMBOLS.index("X") + second
    return Batch(np.eye(len(SYMBOLS))[symbols], 2 * first + second)


def copying(pause: int, sequences: int, *, rng: np.random.Generator) -> Batch:
    """Ten symbols, a pause, a signal: say the ten symbols in the same order (Arjovsky et al. 2016, section 4.1).

    pause      T >= 1: the signal comes T steps after the last of the symbols
    sequences  B >= 1

    x  (T+20, B, 10), one-hot: ten symbols drawn uniformly from 0, ..., 7; T-1 blanks, 8; the signal, 9; ten blanks
    y  (T+20, B), integers: T+10 blanks, then the ten symbols. Every step counts

    See `copying_baseline` for the loss of a net without memory.
    ValueError: counts that aren't such integers, an rng that isn't a numpy.random.Generator.
    """
    T, B = as_integer("pause", pause, 1), as_integer("sequences", sequences, 1)
    check_generator(rng)
    symbols = np.full((T + 2 * COPIED, B), 8)
    symbols[:COPIED] = rng.integers(8, size=(COPIED, B))
    symbols[COPIED + T - 1] = 9
    y = np.full_like(symbols, 8)
    y[-COPIED:] = symbols[:COPIED]
    return Batch(np.eye(10)[symbols], y)


def copying_baseline(pause: int) -> float:
    """10 ln 8 / (T + 20), the cross-entropy a step of `copying` of who knows when to speak but not what, in nats.

    ValueError: a pause that isn't an integer >= 1.
    """
    T = as_integer("pause", pause, 1)
    return COPIED * float(np.log(8)) / (T + 2 * COPIED)
