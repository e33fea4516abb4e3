"""No process of a grading run outlives the one that started it, however that one ended."""

import functools
import os
import threading
import time


@functools.cache
def end_with(parent: int) -> None:
    """End this process as soon as the process `parent`, which started it, is gone."""
    def watch():
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
