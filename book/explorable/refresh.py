"""Run notebooks and store their outputs: ``python -m explorable.refresh NOTEBOOK…``

What changes from run to run (widget state, widget ids, timings) is left out,
so that refreshing an unchanged notebook changes nothing in version control.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import nbformat
from nbclient import NotebookClient

WIDGET = "application/vnd.jupyter.widget-view+json"


def refresh(path: Path, timeout: int = 600) -> None:
    """Execute the notebook at `path` in its own folder and write it back.

    Raises
    ------
    nbclient.exceptions.CellExecutionError : a cell raised; nothing is written.
    """
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    client = NotebookClient(
        notebook, timeout=timeout, store_widget_state=False, record_timing=False, coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET, None)
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m explorable.refresh", description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="+", type=Path)
    for path in parser.parse_args().notebooks:
        print(path)
        refresh(path.resolve())


if __name__ == "__main__":
    main()
