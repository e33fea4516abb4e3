"""Cells of a page that run where they are read: Python in the reader's browser.

kernel     runs cells and moves live figures; one to a page
outputs    what a cell prints and shows, in messages to the page, with an end to it
errors     what went wrong, in a few lines
inline     Matplotlib's backend: ``plt.show()`` shows figures on the page
standins   what ipywidgets imports of IPython, where there is no IPython

These run in the browser and know nothing of the build; the other modules run while the book is built.
"""
