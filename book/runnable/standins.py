"""What ipywidgets imports of IPython, which a browser would take seconds to load."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Callable


class HTML:
    """HTML that is shown as such; ``IPython.display.HTML``."""

    def __init__(self, data: str):
        self.data = data

    def _repr_html_(self) -> str:
        return self.data


def stand_in(display: Callable) -> None:
    """Give `sys.modules` an IPython that has nothing but what ipywidgets needs, unless there is one.

    `display` is its ``IPython.display.display``. Its ``clear_output`` leaves what is shown.
    """
    if "IPython" in sys.modules or find_spec("IPython"):
        return
    shell = type("InteractiveShell", (), {"initialized": staticmethod(lambda: False)})
    modules = {
        "IPython": {"get_ipython": lambda: None, "version_info": (9, 0, 0)},  # Matplotlib asks for the version
        "IPython.display": {"display": display, "clear_output": lambda wait=False: None, "HTML": HTML},
        "IPython.core": {},
        "IPython.core.interactiveshell": {"InteractiveShell": shell},
    }
    for name, contents in modules.items():
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None, is_package=True)
        module.__path__ = []
        vars(module).update(contents)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)
        sys.modules[name] = module
