"""Matplotlib's backend on a page: Agg, with a ``plt.show()`` that shows the open figures below the cell."""

from matplotlib.backends.backend_agg import FigureCanvasAgg as FigureCanvas

from runnable import kernel

__all__ = ["FigureCanvas", "show"]


def show(*, block=None) -> None:
    """Show the figures that are open, and close them."""
    kernel.running().show_figures()
