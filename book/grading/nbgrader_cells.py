"""Steps of `nbgrader autograde` that take a submission as it is: whatever it contains, it gets a grade and a message.

`nbgrader_config.py` puts `Rebuild` in the place of nbgrader's OverwriteCells, `ExecuteApart` in that of Execute, and
`ReadAnything` in that of nbconvert's NotebookExporter. Before them comes `OwnFiles`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import site
import socket
import tempfile
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import nbgrader
import zmq
from ipykernel.kernelspec import make_ipkernel_cmd
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from nbconvert.exporters import NotebookExporter
from nbformat.notebooknode import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell
from nbgrader.api import Gradebook
from nbgrader.preprocessors import Execute, NbGraderPreprocessor
from nbgrader.utils import is_solution
from traitlets import Bool, Float, Integer, List, default

from . import isolation
from .answers import DATA, Submission, answer
from .links import irregular
from .marks import SEED, one_seed
from .releases import versions
from .terminal import printable

MEMORY = 8 * 2**30  # bytes of the tests' kernel: a student's code may call the tests' functions with what it likes

# Of a file that is handed in, without what its cells have put out, and of its texts without the pictures in them. Values take
# up to 400 bytes each in memory; a notebook without outputs has some hundreds.
LARGEST = {"characters": 100 * 2**20, "values": 2_000_000, "cells": 2_000, "text": 2_000_000, "pictures": 1_000}
IN_TEXTS = 20 * 2**20  # characters of all pictures in texts; those beyond that become a sentence
PUT_OUT = re.compile(r'(?<!\\)"(?:outputs|widgets)"\s*:\s*(?=[\[{])')  # within a text the mark would have a backslash
BRACKET = re.compile(r'[^"\[\]{}]*+(?:"(?:[^"\\]++|\\.)*+"[^"\[\]{}]*+)*+([\[\]{}])', re.DOTALL)  # the next one outside of texts
BRACKETS = 5_000_000  # in all that was put out
CONNECTION = "kernel.json"  # the tests' kernel's; its sockets lie beside it
DIGEST = "handed_in"  # in the notebook's metadata: of the file that is graded, SHA-256
LOST = "lost"  # in the notebook's metadata: why nothing of the file counts
UNREADABLE = "The file could not be read as a notebook"
WAITS = "The file that was handed in could not be read, so nothing of it is here. Look at it before you give points."

__all__ = ["ExecuteApart", "OwnFiles", "ReadAnything", "Rebuild", "lost"]


class ReadAnything(NotebookExporter):
    """Takes of a file what grading needs: texts and kinds of cells, nbgrader's metadata, pictures in answers.

    A file that is no notebook, or is far too large for one, becomes one that is empty but for a message.
    """

    _digest = None

    def from_filename(self, filename, resources=None, **options):
        self._digest = digest_of(filename)  # before it is read: if it is replaced just now, it will be graded anew
        return super().from_filename(filename, resources, **options)

    def from_file(self, file_stream, resources=None, **options):
        metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        try:
            handed_in = getattr(self.parent, "_sanitizing", True)  # or else `Rebuild` has seen it, and added to it
            text = file_stream.read(LARGEST["characters"] + 1 if handed_in else -1).lstrip("\ufeff")
            if handed_in:
                self._limit(characters=len(text))
                text = without_outputs(text)
                self._limit(values=text.count(",") + text.count("[") + text.count("{"))
                self._limit(cells=number_of_cells(text))  # nbformat's work on many of them takes minutes
            with warnings.catch_warnings(action="ignore"):  # two for each cell
                nb = nbformat.reads(text, as_version=4)
            cells = [self._cell(cell) for cell in nb.cells]
            metadata |= {DIGEST: self._digest} if handed_in else {name: nb.metadata[name] for name in (DIGEST, LOST) if name in nb.metadata}
            if handed_in:
                self._shorten_pictures(cells)
                self._limit(cells=len(cells), text=sum(len(DATA.sub("", cell.source)) for cell in cells),
                            pictures=sum(len(cell.get("attachments", ())) for cell in cells))
        except Exception as error:  # whatever was handed in
            cells = [new_markdown_cell(f"{UNREADABLE}: {error!s:.200}")]
            metadata |= {LOST: cells[0].source, DIGEST: self._digest}
        return self.from_notebook_node(new_notebook(cells=cells, metadata=metadata), resources, **options)

    @staticmethod
    def _limit(**found):
        for name, number in found.items():
            if number > LARGEST[name]:
                raise ValueError(f"too large ({name}: got {number:,}, want at most {LARGEST[name]:,})")

    @staticmethod
    def _shorten_pictures(cells):
        left = IN_TEXTS

        def shown(picture):
            nonlocal left
            if len(picture[0]) > left:
                return f"(a picture of {len(picture[0]) / 2**20:.0f} MB was here, which is too large: see the file that was handed in)"
            left -= len(picture[0])
            return picture[0]

        for cell in cells:
            cell.source = DATA.sub(shown, cell.source)

    @staticmethod
    def _cell(cell):
        text = cell.get("source") or ""
        text = (text if isinstance(text, str) else "".join(text)).encode("utf-8", "replace").decode()
        fresh = {"code": new_code_cell, "raw": new_raw_cell}.get(cell.get("cell_type"), new_markdown_cell)(text)
        own = cell.get("metadata", {}).get("nbgrader")
        if isinstance(own, dict):
            fresh.metadata["nbgrader"] = own
        pictures = cell.get("attachments")
        if isinstance(pictures, dict) and fresh.cell_type != "code":
            fresh["attachments"] = {
                name: {kind: data for kind, data in picture.items() if isinstance(data, str)}
                for name, picture in pictures.items() if isinstance(picture, dict)}
        return fresh


def without_outputs(text: str) -> str:
    """A notebook's JSON without what its cells have put out and without the state of its widgets; what is no JSON, as it is.

    ValueError: what was put out has too many parts.
    """
    kept, begin, left = [], 0, BRACKETS
    while found := PUT_OUT.search(text, begin):
        depth, end = 0, found.end()
        while bracket := BRACKET.match(text, end):
            depth, end, left = depth + (1 if bracket[1] in "[{" else -1), bracket.end(), left - 1
            if left < 0:
                raise ValueError("too large (outputs)")
            if depth == 0:
                break
        else:
            return text
        kept += [text[begin:found.end()], text[found.end()] + bracket[1]]
        begin = end
    return "".join([*kept, text[begin:]])


def number_of_cells(text: str) -> int:
    """In a notebook's JSON of any version; 0: it is none, of which nbformat says why."""
    with suppress(ValueError, TypeError, AttributeError):
        found = json.loads(text)
        return sum(len(sheet.get("cells", ())) for sheet in (found, *found.get("worksheets", ())))
    return 0


def lost(notebook: str | Path) -> str | None:
    """Why nothing of a file counts that was handed in; None of a notebook that was graded."""
    return json.loads(Path(notebook).read_bytes())["metadata"].get(LOST)


def digest_of(path: str | Path) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Rebuild(NbGraderPreprocessor):
    """Puts the teacher's cells back: those that were deleted, moved, doubled or changed in text, kind or points.

    The cells that nbgrader knows are made anew, in the teacher's order, from what `nbgrader generate_assignment` has
    stored. Of the submission come the text of the cells that were to be filled in, and all other cells, each after
    the known cell that it followed. Of several copies of a cell the first counts that was worked on; copies that
    were not are left out. What was written into a teacher's cell gets a cell of its own before it.

    nbgrader gives 0 points to an answer in words that was left as it was, and shows it to nobody. So what the student
    has written elsewhere is quoted in it, and then it waits for the teacher. See `grading.answers`. If the file could not
    be read, each answer says so and waits as well, and `lost` tells.
    """

    def preprocess(self, nb, resources):
        names = resources["nbgrader"]
        with Gradebook(names["db_url"]) as gradebook:
            notebook = gradebook.find_notebook(names["notebook"], names["assignment"])
            known = {cell.name: cell for cell in notebook.source_cells}
            points = {cell.name: cell.max_score for cell in notebook.grade_cells}
            solutions = {cell.name for cell in notebook.solution_cells}
            unreadable = LOST in nb.metadata
            if unreadable:
                self.log.warning("%s, %s: %s", names["student"], names["notebook"], printable(nb.cells[0].source))
            released, teachers, models = self._given_out(names, known)
            submission = Submission([] if unreadable else nb.cells, released, teachers, solutions, models)
            quotes = submission.quotes([name for name in known if name in solutions and name in points])
            added = submission.added()
            cells = nb.cells if unreadable else added[None]
            for name, source in known.items():
                cells.append(self._cell(source, submission, points.get(name), name in solutions, quotes.get(name, []), unreadable))
                cells += added[name]
        for number, cell in enumerate(cells):
            cell.id = f"cell-{number}"
        nb.cells = cells
        return nb, resources

    def _given_out(self, names, known):
        """As for `Submission`: what was given out, in this and in all earlier versions, and the code of the solutions."""
        course = self.parent.parent.coursedir
        folder = course.format_path(course.source_directory, ".", names["assignment"])
        cells = nbformat.read(Path(folder, f"{names['notebook']}.ipynb"), as_version=4).cells
        teachers = [cell.source for cell in cells if "nbgrader" not in cell.metadata]
        released = {name: {self._released(cell.source)} for name, cell in known.items()}
        for version in versions(Path(course.root), names["assignment"], names["notebook"]):
            for name, text in version:
                if name in released:
                    released[name].add(text)
                else:
                    teachers.append(text)
        models = [cell.source for cell in cells if cell.cell_type == "code" and is_solution(cell)]
        return released, teachers, models

    @staticmethod
    def _released(text):
        """As students get it: without hidden tests."""
        return re.sub(r"^[^\n]*BEGIN HIDDEN TESTS.*?END HIDDEN TESTS[^\n]*\n?", "", text, flags=re.DOTALL | re.MULTILINE)

    @staticmethod
    def _cell(source, submission, points, solution, quotes, unreadable):
        submitted, code = submission.cell(source.name), source.cell_type == "code"
        by_hand, attachments = solution and points is not None, {}
        if by_hand and unreadable:
            text = f"# {WAITS}" if code else WAITS
        elif not solution or by_hand and submission.left(source.name):
            text = source.source
        elif submitted is None:
            text = "# This cell was missing." if code else "This cell was missing."
        else:
            text = submitted.source
        if submitted and not code:
            attachments = submitted.get("attachments", {})
        if by_hand:
            text, attachments = answer(text, attachments, quotes, "# " if code else "")
        cell = (new_code_cell if code else new_markdown_cell)(text)
        if attachments:
            cell["attachments"] = attachments
        cell.metadata["nbgrader"] = NotebookNode(
            grade=points is not None, grade_id=source.name, locked=source.locked, solution=solution, task=False,
            schema_version=3, cell_type=source.cell_type, checksum=source.checksum)
        if points is not None:
            cell.metadata.nbgrader["points"] = points
        return cell


class ExecuteApart(Execute):
    """Runs the teacher's cells in a kernel and the student's in a process apart, see `grading.sandbox`.

    There the teacher's cells run, too, but for the tests: the student's code may need what they set. The kernel has a
    folder and an IPython profile of its own: nothing of the teacher's and nothing that was handed in gets into it. Its sockets
    are in that folder, which no other user can enter: whoever reaches them reads the hidden tests, without a key.
    """

    timeout = Integer(600, help="seconds for one of the teacher's cells, with all calls in it").tag(config=True)
    extra_arguments = List(
        ["--IPKernelApp.log_level=40", "--HistoryManager.hist_file=:memory:"],
        help="for the kernel: no warnings, and no history",
    ).tag(config=True)
    seconds = Float(10, help="that a cell of the student's, or a call from a test, may take").tag(config=True)
    patience = Float(120, help="that each of three shares of the student's code may take, see `Sandbox`").tag(config=True)
    isolation = Bool(
        help="whether the student's code is kept from all else on this computer; without it has the teacher's rights",
    ).tag(config=True)

    @default("isolation")
    def _isolation_default(self):
        return isolation.wanted()

    def create_kernel_manager(self):
        self.kernel_manager_class = OwnKernel
        return super().create_kernel_manager()

    @contextmanager
    def setup_kernel(self, **options):
        with tempfile.TemporaryDirectory(prefix="grading-", dir=place_of_sockets(), ignore_cleanup_errors=True) as folder:
            try_socket(folder)
            self.km = self.create_kernel_manager()
            self.km.connection_file = str(Path(folder, CONNECTION))
            environment = {name: value for name, value in os.environ.items() if name != "PYTHONSTARTUP"}
            environment |= {"IPYTHONDIR": folder, "JUPYTER_CONFIG_DIR": folder, "MPLBACKEND": "agg", SEED: one_seed(Path.cwd())}
            with super().setup_kernel(cwd=folder, env=environment, **options):
                yield

    def preprocess(self, nb, resources):
        if self.isolation and (reason := isolation.lacking()):
            raise RuntimeError(isolation.refusal(reason))
        code = [(cell, cell.source) for cell in nb.cells if cell.cell_type == "code"]
        for cell, source in code:
            own = cell.metadata.get("nbgrader", {})
            label = f"<{own.get('grade_id', 'your own cell')}>"
            if not own or is_solution(cell):
                cell.source = f"_sandbox.run({source!r}, {label!r})"
            elif not own.get("points"):  # a public check, too
                cell.source += f"\n_sandbox.give({source!r}, {label!r}, {'points' in own!r})"
        limit = f"import resource as _resource\n_resource.setrlimit(_resource.RLIMIT_AS, ({MEMORY}, {MEMORY}))\n"
        begin = new_code_cell(
            (limit if self.isolation else "") +
            "import sys as _sys\n"
            "_sys.stderr = _sys.stdout  # to nbgrader a warning would be a failed test\n"
            "from grading.sandbox import Sandbox as _Sandbox\n"
            f"_sandbox = _Sandbox(get_ipython().user_ns, {self.seconds!r}, {self.patience!r}, {self.isolation!r})")
        end = new_code_cell("_sandbox.close()")
        nb.cells = [begin, *nb.cells, end]
        try:
            nb, resources = super().preprocess(nb, resources)
        except DeadKernelError:
            nb.metadata[LOST] = "The code ended the grading itself; nothing could be graded."
            for cell, _ in code:
                cell.outputs = [new_output("error", ename="Stopped", evalue="", traceback=[nb.metadata[LOST]])]
        finally:
            nb.cells = nb.cells[1:-1]
            for cell, source in code:
                cell.source = source
        for output in (output for cell in [begin, *nb.cells] for output in cell.get("outputs", ())):
            if output.output_type == "error" and output.ename == isolation.Unavailable.__name__:
                raise RuntimeError(output.evalue)
        return nb, resources


def place_of_sockets() -> str:
    """The folder for temporary files; /tmp, if the paths of sockets in it would be too long."""
    usual = tempfile.gettempdir()
    longest = Path(usual, "grading-12345678", Path(CONNECTION).stem + "-ipc-5")
    return usual if len(os.fsencode(longest)) <= zmq.IPC_PATH_MAX_LEN else "/tmp"


def try_socket(folder: str) -> None:
    """RuntimeError: there can be no sockets in `folder`, as on some network drives."""
    with socket.socket(socket.AF_UNIX) as trial:
        try:
            trial.bind(os.path.join(folder, "trial"))
        except OSError as error:
            raise RuntimeError(f"Nothing was graded. The tests' kernel talks over sockets, and in {folder} there can be none: "
                               f"{error}. Set TMPDIR to a folder on a disk of this computer.") from None


class OwnKernel(AsyncKernelManager):
    """This Python's kernel, whatever kernels the teacher has; without the packages in the home folder, if nbgrader isn't one of them.

    It talks over sockets among the files, never over the network: there every user of the computer could listen.
    """

    def __init__(self, **options):
        super().__init__(**options)
        self.transport = "ipc"  # whatever the settings say

    @property
    def kernel_spec(self):
        user_site = Path(nbgrader.__file__).is_relative_to(site.getusersitepackages())
        return KernelSpec(argv=make_ipkernel_cmd(python_arguments=[] if user_site else ["-s"]), display_name="Python 3", language="python")


class OwnFiles(NbGraderPreprocessor):
    """Refuses a submission with links, for `nbgrader autograde` as well as for `python -m grading`."""

    def preprocess(self, nb, resources):
        own = resources["nbgrader"]
        if found := irregular(Path.cwd(), own["student"], own["assignment"]):
            raise RuntimeError(f"Links are not followed: {'; '.join(found)}")
        return nb, resources
