"""Questions that a reader answers on the page before the figure tells, with feedback on every answer.

`predictions.sphinx_ext` makes them while the book is built; nothing of it runs in a notebook.
"""
