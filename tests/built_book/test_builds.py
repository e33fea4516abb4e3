"""The book is built, strictly: a warning fails."""


def test_the_book_builds(site):
    assert (site / "book" / "index.html").exists()
