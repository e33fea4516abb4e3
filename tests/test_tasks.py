from itertools import combinations

import numpy as np
import pytest

from gradients.tasks import VOCABULARY, agreement

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
