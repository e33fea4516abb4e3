"""Puts Python for the browser into a folder, without Pyodide's CDN: ``python tests/runnable/from_pypi.py FOLDER``, for PYODIDE.

The core is what the book publishes, from npm. The wheels are those that a package on PyPI carries for its own pages: of the same
Python and the same binary interface, but older by months, so that the lock's checksums do not fit. The lock in FOLDER is changed to
name them; such a folder is for tests, and no page is published with it.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "book"))

from runnable import pyodide

CARRIER, WITHIN = "open-webui==0.12.4", "open_webui/frontend/pyodide/"  # Pyodide 314.0.3


def download(requirement: str, folder: Path) -> Path:
    """The wheel of a package of PyPI, whatever Python it is for."""
    into = folder / requirement
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--python-version=3.12",
                    f"--dest={into}", requirement], check=True)
    return next(into.iterdir())


def main(folder: Path) -> None:
    pyodide.take_core(folder)
    path = folder / pyodide.LOCK
    lock = json.loads(path.read_text())
    with tempfile.TemporaryDirectory() as scratch, zipfile.ZipFile(download(CARRIER, Path(scratch))) as carrier:
        carried = json.loads(carrier.read(WITHIN + pyodide.LOCK))
        if any(carried["info"][key] != lock["info"][key] for key in ("abi_version", "platform")):
            sys.exit(f"the wheels in {CARRIER} are for another Pyodide: {carried['info']}; wanted {lock['info']}")
        for name in pyodide.closure(lock["packages"], pyodide.PACKAGES.values()):
            package, other = lock["packages"][name], carried["packages"][name]
            if WITHIN + other["file_name"] in carrier.namelist():
                content = carrier.read(WITHIN + other["file_name"])
                package |= {"file_name": other["file_name"], "version": other["version"]}
            else:  # it is pure Python
                content = download(f"{name}=={package['version']}", Path(scratch)).read_bytes()
            package["sha256"] = hashlib.sha256(content).hexdigest()
            (folder / package["file_name"]).write_bytes(content)
    path.write_text(json.dumps(lock))
    print(f"{folder}: {pyodide.write_manifest(folder)['bytes'] / 1e6:.0f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
