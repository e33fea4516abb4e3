"""Figures with sliders that stay alive on a static page.

Write a Matplotlib figure and a function that updates its artists and returns
them, as for ``matplotlib.animation.FuncAnimation(blit=True)``, and pass both
to `explore` with one ipywidgets control per parameter of the function:

    fig, ax = plt.subplots()
    curve, = ax.plot(x, np.sin(x))

    def update(frequency):
        curve.set_ydata(np.sin(frequency * x))
        return curve,

    explore(fig, update, frequency=FloatSlider(min=1, max=5, step=0.5, value=1),
            id="fig-sine", alt="A sine wave.", caption="A sine wave.")

The result has four lives:

* **live**: in a notebook the ipywidgets drive ``update`` in the kernel;
* **recorded**: while a book is built (add ``explorable.sphinx_ext`` to its
  Sphinx extensions) ``update`` is run at every combination of control values,
  and the page replays what changed, with no kernel and no network;
* **live on a page** (`Explorable.live`): where Python runs behind the page, it
  asks for each state that is shown, and gets what a recording would hold;
* **still**: a PNG of the first state, for viewers that show neither.

On the page a reader can pin what is shown, as a ghost behind what comes next,
and let a slider play; a `Handle` makes a point of the figure draggable, and so
moves one or two sliders.

Black and white in a figure stand for the text and background colours of the
page, so that a recorded figure follows the page into dark mode.
"""

from explorable.figure import Explorable, explore
from explorable.handles import Handle

__all__ = ["Explorable", "Handle", "explore"]
