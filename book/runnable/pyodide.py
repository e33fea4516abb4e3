"""Puts Python for the browser beside the pages of a site, which then load it from nowhere else.

    python -m runnable.pyodide _build/html/pyodide

takes Pyodide's core from npm, and from Pyodide's CDN the packages that pages need and what those depend on. Every file is held
against its sha256: the core's stand here, the packages' in the core's pyodide-lock.json. What is there already is not taken again.
At the end it writes manifest.json, from which a page says what it is about to load:

    {"version": "314.0.7", "bytes": 48000000, "files": {"pyodide.asm.wasm": 9598218, ...},
     "packages": {"numpy": ["numpy-2.4.6-...whl"], ...}}

"files" has the size of each file in bytes, "packages" for each package its files and those of what it depends on.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path

VERSION = "314.0.7"
CDN = f"https://cdn.jsdelivr.net/pyodide/v{VERSION}/full/"
LOCK = "pyodide-lock.json"
MANIFEST = "manifest.json"
CORE = {
    "pyodide.mjs": "6f1d60f7bf529beb300f0f47983c921d3982363640ba20af0e38efdddbc66109",
    "pyodide.asm.mjs": "f7cdc8ece80678ceb712f8e65ebe6d3a83203a180c399865f49612a051693635",
    "pyodide.asm.wasm": "cc36e3cab04fdfc9a63ff13eb52eae2b911bf46c025cc7b281f394bd3de1d5e6",
    "python_stdlib.zip": "fa1957e5777068fc4f7437f96d860ae2fbe9c19732ba06c84e004ec16dd7dd7a",
    LOCK: "5dc2fc119108bc148c7457dc86e7675b5c87e1cafd420b9c34c1eaef7b36c010",
}
# Module -> the package of Pyodide that has it.
PACKAGES = {"numpy": "numpy", "matplotlib": "matplotlib", "scipy": "scipy", "PIL": "pillow", "tqdm": "tqdm", "traitlets": "traitlets"}
# What the CDN sends, in MB: the core, compressed on its way, and each package with what it depends on, but for those named here.
_MEGABYTES = {"core": 6.4, "matplotlib": 9.0, "numpy": 2.8, "pillow": 1.0, "scipy": 13.8, "tqdm": 0.1, "traitlets": 0.1}
_TIMEOUT = 60  # seconds without a byte


class Failed(Exception):
    """What could not be had, in words for the terminal."""


def make(folder: Path, source: str = CDN) -> dict:
    """Fill `folder` with the core and the packages; the manifest.

    source : a URL or a folder that has the packages' files.

    Raises
    ------
    Failed : files that could not be had, or are not what the lock wants; those that could are there.
    """
    folder = Path(folder)
    _prepare(folder)
    (folder / MANIFEST).unlink(missing_ok=True)  # while it is missing, the folder is not complete
    take_core(folder)
    packages = json.loads((folder / LOCK).read_text(encoding="utf-8"))["packages"]
    problems = []
    for name in sorted(closure(packages, PACKAGES.values())):
        package = packages[name]
        path = folder / _plain(package["file_name"])
        if not _is(path, package["sha256"]):
            try:
                _fetch(source, path, package["sha256"])
                print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB", flush=True)
            except Failed as problem:
                problems.append(str(problem))
    if problems:
        raise Failed("\n".join(problems))
    return write_manifest(folder)


def write_manifest(folder: Path) -> dict:
    """Tell pages what a complete folder has: manifest.json, and what is in it."""
    packages = json.loads((folder / LOCK).read_text(encoding="utf-8"))["packages"]
    by_package = {name: sorted(packages[part]["file_name"] for part in closure(packages, [name])) for name in sorted(set(PACKAGES.values()))}
    files = {name: (folder / name).stat().st_size for name in sorted({*CORE, *(file for own in by_package.values() for file in own)})}
    made = {"version": VERSION, "bytes": sum(files.values()), "files": files, "packages": by_package}
    with _whole(folder / MANIFEST) as file:
        file.write(json.dumps(made, indent=1).encode())
    return made


def megabytes(packages: Iterable[str]) -> int:
    """About how much the CDN sends a page that needs these of PACKAGES."""
    return round(sum(_MEGABYTES[name] for name in ("core", *packages)))


def closure(packages: Mapping[str, dict], names: Iterable[str]) -> set[str]:
    """These packages and all that they depend on. Failed: one that the lock does not name."""
    pending, found = list(names), set()
    while pending:
        name = pending.pop()
        if name not in packages:
            raise Failed(f"{LOCK} names no package {name!r}")
        if name not in found:
            found.add(name)
            pending += packages[name]["depends"]
    return found


def take_core(folder: Path) -> None:
    """Put Pyodide's core into `folder`, by npm, unless it is there. Failed: no npm, or not the files that are wanted."""
    _prepare(folder)
    missing = {name: digest for name, digest in CORE.items() if not _is(folder / name, digest)}
    if not missing:
        return
    npm = shutil.which("npm")
    if npm is None:
        raise Failed("npm is missing, with which Pyodide's core is taken: install Node.js")
    with tempfile.TemporaryDirectory() as scratch:
        done = subprocess.run([npm, "pack", f"pyodide@{VERSION}", "--silent"], cwd=scratch, capture_output=True, text=True)
        packed = list(Path(scratch).glob("*.tgz"))
        if done.returncode or len(packed) != 1:
            raise Failed(f"npm pack pyodide@{VERSION} failed:\n{done.stderr or done.stdout}")
        try:
            with tarfile.open(packed[0]) as archive:
                for name, digest in missing.items():
                    content = archive.extractfile(f"package/{name}").read()
                    if hashlib.sha256(content).hexdigest() != digest:
                        raise Failed(f"{name} of npm's pyodide@{VERSION} is not the file that is wanted: its sha256 differs")
                    with _whole(folder / name) as file:
                        file.write(content)
        except (tarfile.TarError, KeyError, EOFError, OSError) as error:
            raise Failed(f"npm's pyodide@{VERSION} cannot be read: {error}") from error
    print(f"core of Pyodide {VERSION}: {', '.join(missing)}", flush=True)


def _prepare(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise Failed(f"{folder} is a file; wanted a folder")
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(".*.part"):  # by a run that was killed
        left.unlink()


def _plain(name: str) -> str:
    """A name of a file in the lock; Failed for one that leads out of the folder."""
    if name != os.path.basename(name) or name in ("", ".", ".."):
        raise Failed(f"{LOCK} names the file {name!r}; wanted a plain name")
    return name


def _is(path: Path, digest: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == digest


def _fetch(source: str, path: Path, digest: str) -> None:
    """Write the file of this name from `source`; Failed, and nothing written, if it breaks off or its sha256 is another."""
    try:
        with _open(source, path.name) as found, _whole(path) as file:
            seen = hashlib.sha256()
            while piece := found.read(1 << 20):
                seen.update(piece)
                file.write(piece)
            expected = getattr(found, "length", None)  # of an HTTP answer: what has not come
            if expected:
                raise Failed(f"{path.name} broke off: {expected:,} bytes have not come")
            if seen.hexdigest() != digest:
                raise Failed(f"{path.name} from {source} is not what {LOCK} wants: its sha256 differs from {digest}")
    except (OSError, http.client.HTTPException) as error:
        raise Failed(f"{path.name} cannot be had from {source}: {error}") from error


def _open(source: str, name: str):
    if urllib.parse.urlsplit(source).scheme in ("http", "https"):
        return urllib.request.urlopen(f"{source.rstrip('/')}/{urllib.parse.quote(name)}", timeout=_TIMEOUT)
    return (Path(source) / name).open("rb")


@contextmanager
def _whole(path: Path):
    """A file to write to, which gets its name when all is written; nothing is left of it otherwise."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m runnable.pyodide", description="Put Python for the browser beside the pages of a site.")
    parser.add_argument("folder", type=Path, help="where it goes: the folder pyodide of the site")
    parser.add_argument("--from", dest="source", default=CDN, metavar="URL", help="a URL or a folder that has the packages' files; %(default)s")
    parser.add_argument("--core", action="store_true", help="take the core alone: Python without packages")
    options = parser.parse_args(arguments)
    try:
        if options.core:
            take_core(options.folder)
            return 0
        made = make(options.folder, options.source)
    except Failed as problem:
        print(problem, file=sys.stderr)
        return 1
    print(f"{options.folder}: Pyodide {made['version']}, {len(made['files'])} files, {made['bytes'] / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
