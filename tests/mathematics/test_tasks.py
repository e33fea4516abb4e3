from itertools import combinations

import numpy as np
import pytest

from gradients.losses import softmax_cross_entropy
from gradients.tasks import (
    CLASSES, SYMBOLS, VOCABULARY, adding, agreement, copying, copying_baseline, temporal_order,
)

NOUNS = {"barn", "gate", "house", "tree"}
VERB_OF = {"Dog": "has", "Dogs": "have"}


def draw(filler=6, sentences=4, seed=0, **options):
    return agreement(filler, sentences, rng=np.random.default_rng(seed), **options)


def texts(batch):
    return [batch.text(b) for b in range(batch.words.shape[1])]


def number(noun):
    """"barn" is singular, "barns" plural; anything else isn't a noun of this grammar."""
    stem = noun.removesuffix("s") if noun not in NOUNS else noun
    assert stem in NOUNS
    return "singular" if noun == stem else "plural"


def parse(text, filler):
    """Subject, nouns of the filler, verb; asserts that the sentence is one of the grammar."""
    subject, *middle, verb = text.split(" ")
    assert len(middle) == filler
    nouns = []
    while middle and len(middle) >= 3 and middle[-2] == "the":
        preposition, _, noun = middle[-3:]
        assert preposition in {"near", "by", "behind", "beside"}
        nouns.append((noun, number(noun)))
        del middle[-3:]
    assert len(middle) == filler % 3
    for adverb, allowed in zip(middle, [{"here", "outside", "upstairs"}, {"today", "tonight", "now"}]):
        assert adverb in allowed
    return subject, nouns[::-1], verb


@pytest.mark.parametrize("filler", range(41))
def test_every_sentence_has_the_length_the_grammar_and_the_agreement(filler):
    batch = draw(filler, 20, seed=filler)
    assert batch.words.shape == (filler + 2, 20)
    for text in texts(batch):
        subject, nouns, verb = parse(text, filler)
        assert len(nouns) == filler // 3
        assert verb == VERB_OF[subject]


def test_every_word_of_the_vocabulary_is_used_in_its_place():
    assert len(set(VOCABULARY)) == len(VOCABULARY)
    batch = draw(5, 300)
    for step, count in enumerate((2, 3, 3, 4, 1, 8, 2)):
        assert len(np.unique(batch.words[step])) == count
    assert set(np.unique(batch.words)) == set(range(len(VOCABULARY)))


def test_subjects_and_nouns_are_drawn_independently_with_equal_chances():
    B = 4000
    parsed = [parse(text, 6) for text in texts(draw(6, B))]
    plural = np.array([[subject == "Dogs", *(number == "plural" for _, number in nouns)] for subject, nouns, _ in parsed])
    signs = 2.0 * plural - 1
    assert (np.abs(signs.mean(axis=0)) < 4 / np.sqrt(B)).all()
    for i, j in combinations(range(3), 2):
        assert abs((signs[:, i] * signs[:, j]).mean()) < 4 / np.sqrt(B)
    last = [nouns[-1][0] for _, nouns, _ in parsed]
    counts = np.array([last.count(noun) for noun in sorted(set(last))])
    assert len(counts) == 8 and (np.abs(counts - B / 8) < 4 * np.sqrt(B / 8)).all()


def test_the_sentences_of_a_batch_differ():
    assert len(set(texts(draw(12, 20)))) == 20


@pytest.mark.parametrize("subject", [None, "Dog", "Dogs"])
def test_a_seed_says_which_sentences(subject):
    once, again, other = (draw(seed=seed, subject=subject) for seed in (1, 1, 2))
    np.testing.assert_array_equal(once.words, again.words)
    assert texts(once) != texts(other)


def test_the_subject_changes_the_first_and_the_last_word_only():
    free, dog, dogs = (draw(7, 30, subject=subject) for subject in (None, "Dog", "Dogs"))
    for batch, subject in ((dog, "Dog"), (dogs, "Dogs")):
        assert {(text.split()[0], text.split()[-1]) for text in texts(batch)} == {(subject, VERB_OF[subject])}
        np.testing.assert_array_equal(batch.words[1:-1], free.words[1:-1])
    assert {text.split()[0] for text in texts(free)} == {"Dog", "Dogs"}


@pytest.mark.parametrize("filler", [0, 1, 5])
def test_inputs_are_one_hot_and_targets_are_the_next_words(filler):
    batch, V = draw(filler, 4), len(VOCABULARY)
    assert batch.x.shape == (filler + 1, 4, V) and batch.x.dtype == np.float64
    assert batch.y.shape == (filler + 1, 4) and batch.y.dtype.kind == "i"
    for b, text in enumerate(texts(batch)):
        words = text.split()
        for t in range(filler + 1):
            assert batch.x[t, b].tolist() == [float(word == words[t]) for word in VOCABULARY]
            assert VOCABULARY[batch.y[t, b]] == words[t + 1]


def test_text():
    batch = draw(3, 2, subject="Dogs")
    batch.words[:, 1] = [VOCABULARY.index(word) for word in ("Dogs", "near", "the", "barn", "have")]
    assert batch.text(1) == "Dogs near the barn have"


def test_numpy_integers_will_do():
    assert texts(draw(np.int64(3), np.int32(2))) == texts(draw(3, 2))


@pytest.mark.parametrize(("argument", "values"), [
    ("filler", [-1, 3.0, True, np.True_, "3", None]),
    ("sentences", [0, -1, 2.0, True, None]),
    ("rng", [0, None, np.random.RandomState(0), np.random]),
    ("subject", ["dog", "Cat", "", 0, ["Dog"], np.array(["Dog", "Dogs"])]),
])
def test_bad_arguments(argument, values):
    good = {"filler": 3, "sentences": 2, "rng": np.random.default_rng(0), "subject": None}
    for value in values:
        with pytest.raises(ValueError, match=f"^{argument}: got .*, want "):
            agreement(**good | {argument: value})


# The tasks of chapter 11 -------------------------------------------------------

TASKS = {"adding": (adding, "length", 2), "temporal_order": (temporal_order, "length", 10), "copying": (copying, "pause", 1)}


def draw_task(name, steps, sequences=4, seed=0):
    return TASKS[name][0](steps, sequences, rng=np.random.default_rng(seed))


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("more", [0, 1, 7, 90])
def test_tasks_have_the_shapes_they_say_and_follow_the_seed(name, more):
    steps = TASKS[name][2] + more
    batch = draw_task(name, steps, 3)
    T, D, y = {"adding": (steps, 2, (3, 1)), "temporal_order": (steps, 8, (3,)),
               "copying": (steps + 20, 10, (steps + 20, 3))}[name]
    assert batch.x.shape == (T, 3, D) and batch.x.dtype == np.float64 and batch.y.shape == y
    again, other = draw_task(name, steps, 3), draw_task(name, steps, 3, seed=1)
    assert np.array_equal(batch.x, again.x) and np.array_equal(batch.y, again.y)
    assert not np.array_equal(batch.x, other.x)


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("steps", [None, -1, 0, 2.5, "3", True])
def test_tasks_refuse_other_lengths(name, steps):
    _, argument, least = TASKS[name]
    with pytest.raises(ValueError, match=f"^{argument}: "):
        draw_task(name, steps)
    with pytest.raises(ValueError, match=f"^{argument}: "):
        draw_task(name, least - 1)


@pytest.mark.parametrize("name", TASKS)
def test_tasks_refuse_other_counts_and_generators(name):
    with pytest.raises(ValueError, match="^sequences: "):
        draw_task(name, 20, 0)
    with pytest.raises(ValueError, match="^rng: "):
        TASKS[name][0](20, 4, rng=0)


@pytest.mark.parametrize("T", [2, 3, 10, 51])
def test_adding_marks_one_number_in_each_half_and_wants_their_sum(T):
    batch = adding(T, 2000, rng=np.random.default_rng(1))
    numbers, marks = batch.x[:, :, 0], batch.x[:, :, 1]
    assert set(np.unique(marks)) <= {0, 1}
    assert (marks[:T // 2].sum(axis=0) == 1).all() and (marks[T // 2:].sum(axis=0) == 1).all()
    assert (marks.sum(axis=1) > 0).all()  # every step is marked in some sequence
    assert numbers.min() >= 0 and numbers.max() < 1
    np.testing.assert_allclose((numbers * marks).sum(axis=0), batch.y[:, 0], rtol=1e-15)


@pytest.mark.parametrize("T", [20, 21, 50, 100])
def test_the_adding_task_of_1997_marks_two_numbers_in_the_first_half(T):
    batch = adding(T, 4000, rng=np.random.default_rng(1), form="1997")
    marks = batch.x[:, :, 1]
    assert (marks.sum(axis=0) == 2).all() and {*np.unique(marks)} == {0, 1}
    assert batch.y[:, 0] == pytest.approx((batch.x[:, :, 0] * marks).sum(axis=0))
    assert marks[T // 2:].sum() == 0 and (marks[:T // 10].sum(axis=0) >= 1).all()
    share = marks.mean(axis=1)  # the early mark is uniform over the first tenth, the other over the rest of the first half
    assert share[T // 10:T // 2] == pytest.approx(1 / (T // 2 - 1), abs=0.015)
    assert share[:T // 10] == pytest.approx(share[:T // 10].mean(), abs=0.03)


def test_the_forms_of_the_adding_task_are_named():
    rng = np.random.default_rng
    assert np.array_equal(adding(30, 3, rng=rng(0)).x, adding(30, 3, rng=rng(0), form="2016").x)
    with pytest.raises(ValueError, match="form: got '1998', want '2016' or '1997'"):
        adding(30, 3, rng=rng(0), form="1998")
    with pytest.raises(ValueError, match="length: got 19"):
        adding(19, 3, rng=rng(0), form="1997")


def test_the_constant_answer_to_adding_has_an_error_of_a_sixth():
    y = adding(10, 100_000, rng=np.random.default_rng(0)).y
    assert ((y - 1)**2).mean() == pytest.approx(1 / 6, rel=0.02)
    assert ((y - 0.9)**2).mean() > ((y - 1)**2).mean()


@pytest.mark.parametrize("T", [10, 11, 37, 100])
def test_temporal_order_puts_its_symbols_where_the_paper_does(T):
    batch = temporal_order(T, 3000, rng=np.random.default_rng(2))
    assert (batch.x.sum(axis=2) == 1).all()
    texts = ["".join(SYMBOLS[s] for s in column) for column in batch.x.argmax(axis=2).T]
    assert {text[0] for text in texts} == {"E"} and {text[-1] for text in texts} == {"B"}
    counted = [[(t, s) for t, s in enumerate(text) if s in "XY"] for text in texts]
    assert {tuple(t for t, _ in pair) for pair in counted} == {
        (t1, t2) for t1 in range(T // 10, T // 5 + 1) for t2 in range(T // 2, 3 * T // 5 + 1)}
    assert [CLASSES[y] for y in batch.y] == ["".join(s for _, s in pair) for pair in counted]
    assert np.bincount(batch.y, minlength=4).min() > 650
    assert set("".join(texts)) == set(SYMBOLS)


@pytest.mark.parametrize("T", [1, 2, 30])
def test_copying_wants_the_first_ten_symbols_after_the_signal(T):
    batch = copying(T, 500, rng=np.random.default_rng(3))
    symbols = batch.x.argmax(axis=2)
    assert (batch.x.sum(axis=2) == 1).all()
    assert set(np.unique(symbols[:10])) == set(range(8))
    assert (symbols[10:9 + T] == 8).all() and (symbols[9 + T] == 9).all() and (symbols[10 + T:] == 8).all()
    assert (batch.y[:-10] == 8).all() and np.array_equal(batch.y[-10:], symbols[:10])


def test_the_baseline_of_copying_is_the_loss_of_a_net_that_guesses_among_eight():
    batch = copying(30, 200, rng=np.random.default_rng(4))
    o = np.full((50, 200, 9), -40.0)
    o[:-10, :, 8] = 0
    o[-10:, :, :8] = 0
    loss, _ = softmax_cross_entropy(o, batch.y)
    assert loss / (50 * 200) == pytest.approx(copying_baseline(30), rel=1e-12)
    for pause in (0, 1.5, None):
        with pytest.raises(ValueError, match="^pause: "):
            copying_baseline(pause)
