"""Python for the browser, put beside the pages: from a registry and a CDN that are fakes here."""

import hashlib
import http.server
import json
import os
import re
import stat
import tarfile
import threading
from functools import partial

import pytest

import chapters
from runnable import pyodide

WHEELS = {"numpy": b"numpy" * 1000, "matplotlib": b"plots" * 2000, "scipy": b"s", "pillow": b"p", "tqdm": b"t", "traitlets": b"tr",
          "cycler": b"c", "unused": b"u"}
DEPENDS = {"matplotlib": ["numpy", "cycler"], "scipy": ["numpy"]}


def file_of(name):
    return f"{name}-1.0-py3-none-any.whl"


def digest(content):
    return hashlib.sha256(content).hexdigest()


class Cdn(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; `asked` has what was asked for, and answers to names in `broken` break off half-way."""

    asked, broken = [], set()

    def log_message(self, *args):
        pass

    def do_GET(self):
        name = self.path.lstrip("/")
        self.asked.append(name)
        if name not in self.broken:
            return super().do_GET()
        with open(self.translate_path(self.path), "rb") as file:
            content = file.read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:len(content) // 2])


@pytest.fixture
def cdn(tmp_path, monkeypatch):
    """The address of a CDN with small wheels, its folder, and what it was asked for; and an npm with a core that names them."""
    wheels = tmp_path / "cdn"
    wheels.mkdir()
    for name, content in WHEELS.items():
        (wheels / file_of(name)).write_bytes(content)
    lock = {"packages": {name: {"file_name": file_of(name), "sha256": digest(content), "depends": DEPENDS.get(name, [])}
                         for name, content in WHEELS.items()}}
    core = {name: f"the file {name}".encode() for name in pyodide.CORE} | {pyodide.LOCK: json.dumps(lock).encode()}
    monkeypatch.setattr(pyodide, "CORE", {name: digest(content) for name, content in core.items()})
    fake_npm(tmp_path, monkeypatch, core)
    monkeypatch.setattr(Cdn, "asked", [])
    monkeypatch.setattr(Cdn, "broken", set())
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Cdn, directory=str(wheels)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", wheels
    server.shutdown()
    server.server_close()


def fake_npm(tmp_path, monkeypatch, core, then=""):
    """An npm whose `pack` gives these files, and notes that it ran; `then` is what it does after that."""
    package = tmp_path / "core" / "package"
    package.mkdir(parents=True, exist_ok=True)
    for name, content in core.items():
        (package / name).write_bytes(content)
    with tarfile.open(tmp_path / "pyodide.tgz", "w:gz") as archive:
        archive.add(package, "package")
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir(exist_ok=True)
    npm.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/npm.log\ncp {tmp_path}/pyodide.tgz . && echo pyodide.tgz\n{then}\n')
    npm.chmod(npm.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{npm.parent}{os.pathsep}{os.environ['PATH']}")


def listed(folder):
    return sorted(path.name for path in folder.iterdir())


COMPLETE = sorted([*pyodide.CORE, *(file_of(name) for name in WHEELS if name != "unused"), "manifest.json"])


def test_a_folder_is_made_and_says_what_is_in_it(cdn, tmp_path, capsys):
    address, _ = cdn
    folder = tmp_path / "site" / "pyodide"
    assert pyodide.main([str(folder), "--from", address]) == 0
    assert listed(folder) == COMPLETE
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["version"] == pyodide.VERSION
    assert manifest["files"] == {name: (folder / name).stat().st_size for name in COMPLETE if name != "manifest.json"}
    assert manifest["bytes"] == sum(manifest["files"].values())
    assert manifest["packages"]["matplotlib"] == sorted(map(file_of, ["cycler", "matplotlib", "numpy"]))
    assert manifest["packages"]["numpy"] == [file_of("numpy")]
    assert f"pyodide@{pyodide.VERSION}" in (tmp_path / "npm.log").read_text()
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o644}, "a web server can read them"
    assert "MB" in capsys.readouterr().out


def test_a_second_run_takes_what_is_missing_or_changed_and_no_more(cdn, tmp_path):
    address, _ = cdn
    folder = tmp_path / "pyodide"
    pyodide.make(folder, address)
    Cdn.asked.clear()
    (tmp_path / "npm.log").unlink()
    pyodide.make(folder, address)
    assert Cdn.asked == [] and not (tmp_path / "npm.log").exists()
    (folder / file_of("cycler")).unlink()
    (folder / file_of("scipy")).write_bytes(b"changed")
    pyodide.make(folder, address)
    assert sorted(Cdn.asked) == sorted(map(file_of, ["cycler", "scipy"]))
    (folder / "pyodide.mjs").write_bytes(b"changed")
    pyodide.make(folder, address)
    assert (folder / "pyodide.mjs").read_bytes() == b"the file pyodide.mjs"


@pytest.mark.parametrize("fault", ["broken off", "wrong", "missing"])
def test_a_file_that_does_not_come_is_named_and_the_others_stay(fault, cdn, tmp_path, capsys):
    address, wheels = cdn
    folder, name = tmp_path / "pyodide", file_of("matplotlib")
    if fault == "broken off":
        Cdn.broken.add(name)
    elif fault == "wrong":
        (wheels / name).write_bytes(b"other" * 2000)
    else:
        (wheels / name).unlink()
    assert pyodide.main([str(folder), "--from", address]) == 1
    said = capsys.readouterr().err
    assert name in said and file_of("numpy") not in said
    assert {"broken off": "broke off: 5,000 bytes", "wrong": "sha256", "missing": "404"}[fault] in said
    assert listed(folder) == sorted({*COMPLETE} - {name, "manifest.json"}), "nothing half-written, and no manifest"
    Cdn.broken.clear()
    (wheels / name).write_bytes(WHEELS["matplotlib"])
    Cdn.asked.clear()
    assert pyodide.main([str(folder), "--from", address]) == 0
    assert Cdn.asked == [name] and listed(folder) == COMPLETE


def test_from_a_folder(cdn, tmp_path):
    _, wheels = cdn
    pyodide.make(tmp_path / "pyodide", str(wheels))
    assert listed(tmp_path / "pyodide") == COMPLETE and Cdn.asked == []


def test_a_server_that_is_not_there(cdn, tmp_path, capsys):
    with http.server.HTTPServer(("127.0.0.1", 0), Cdn) as closed:
        address = f"http://127.0.0.1:{closed.server_port}"
    assert pyodide.main([str(tmp_path / "pyodide"), "--from", address]) == 1
    assert f"{file_of('numpy')} cannot be had from {address}" in capsys.readouterr().err


def test_without_npm(cdn, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert pyodide.main([str(tmp_path / "pyodide"), "--from", cdn[0]]) == 1
    assert "npm is missing" in capsys.readouterr().err


def test_what_npm_gives_is_looked_at(cdn, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "pyodide"
    fake_npm(tmp_path, monkeypatch, {"pyodide.asm.wasm": b"another"})
    assert pyodide.main([str(folder), "--from", cdn[0]]) == 1
    assert "pyodide.asm.wasm" in capsys.readouterr().err and "pyodide.asm.wasm" not in listed(folder)
    fake_npm(tmp_path, monkeypatch, {}, then="truncate -s 100 pyodide.tgz")
    assert pyodide.main([str(folder), "--from", cdn[0]]) == 1
    assert "cannot be read" in capsys.readouterr().err
    fake_npm(tmp_path, monkeypatch, {}, then="echo no network >&2; exit 1")
    assert pyodide.main([str(folder), "--from", cdn[0]]) == 1
    assert "no network" in capsys.readouterr().err


def test_a_lock_that_leads_astray(cdn, tmp_path, monkeypatch, capsys):
    def locked(packages):
        core = {name: f"the file {name}".encode() for name in pyodide.CORE} | {pyodide.LOCK: json.dumps({"packages": packages}).encode()}
        monkeypatch.setattr(pyodide, "CORE", {name: digest(content) for name, content in core.items()})
        fake_npm(tmp_path, monkeypatch, core)
        assert pyodide.main([str(tmp_path / "pyodide"), "--from", cdn[0]]) == 1
        return capsys.readouterr().err

    package = {"sha256": digest(b""), "depends": []}
    outside = {name: package | {"file_name": f"../{name}"} for name in WHEELS}
    assert "'../matplotlib'; wanted a plain name" in locked(outside)
    assert "names no package 'traitlets'" in locked({})


def test_the_core_alone(cdn, tmp_path):
    assert pyodide.main([str(tmp_path / "alone"), "--core"]) == 0
    assert listed(tmp_path / "alone") == sorted(pyodide.CORE) and Cdn.asked == []


def test_a_folder_that_is_a_file(cdn, tmp_path, capsys):
    (tmp_path / "pyodide").write_text("mine")
    assert pyodide.main([str(tmp_path / "pyodide"), "--from", cdn[0]]) == 1
    assert "is a file" in capsys.readouterr().err and (tmp_path / "pyodide").read_text() == "mine"


def test_what_a_killed_run_left_is_cleared(cdn, tmp_path):
    folder = tmp_path / "pyodide"
    folder.mkdir()
    (folder / ".numpy-1.0-py3-none-any.whl.abc.part").write_bytes(b"half")
    pyodide.make(folder, cdn[0])
    assert listed(folder) == COMPLETE


def test_the_pages_have_the_mathematics_of_the_book(core):
    """The core's lock names the NumPy that requirements.txt pins, and all packages that pages load."""
    packages = json.loads((core / pyodide.LOCK).read_text())["packages"]
    pinned = dict(re.findall(r"^([\w-]+)==(\S+)", (chapters.ROOT / "requirements.txt").read_text(), re.MULTILINE))
    assert packages["numpy"]["version"] == pinned["numpy"]
    needed = pyodide.closure(packages, pyodide.PACKAGES.values())
    assert {"contourpy", "kiwisolver", "pyparsing", "python-dateutil", "six"} <= needed
    assert {name: digest((core / name).read_bytes()) for name in pyodide.CORE} == pyodide.CORE
