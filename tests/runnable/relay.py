"""A server on loopback whose pages compute without Pyodide: `runnable.kernel` in a child process, behind a stand-in for worker.js.

The page's script gets what it would get in a browser with Pyodide: the same messages, from the same kernel. The child lives
as long as the page's worker: when the page ends the worker, even in an endless loop, the child is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import tornado.httpserver
import tornado.netutil
import tornado.web
import tornado.websocket

BOOK = Path(__file__).parents[2] / "book"
BYTES = 19_300_000  # what the stand-in says that it loads

WORKER = """
let socket;
onmessage = ({ data }) => {
  if (data.type !== "start") return socket.send(JSON.stringify(data));
  socket = new WebSocket(new URL("/relay", import.meta.url).href.replace("http", "ws"));
  socket.onopen = () => socket.send(JSON.stringify(data));
  socket.onmessage = (event) => postMessage(JSON.parse(event.data));
};
"""


class Relay:
    """What a test knows of a server: its `address`, the `messages` of the pages to their workers, how many `children` it had.

    `refuse` is what the next starts fail with, one each.
    """

    def __init__(self, cwd: Path):
        self.cwd, self.address = cwd, ""
        self.messages: list[dict] = []
        self.children: list[subprocess.Popen] = []
        self.refuse: list[str] = []

    def of_type(self, kind: str) -> list[dict]:
        """The messages of one type so far."""
        return [message for message in self.messages if message["type"] == kind]


class _Socket(tornado.websocket.WebSocketHandler):
    child = None

    def initialize(self, relay):
        self.relay, self.loop = relay, asyncio.get_running_loop()

    def on_message(self, text):
        message = json.loads(text)
        self.relay.messages.append(message)
        if message["type"] != "start":
            self.child.stdin.write(text + "\n")
            self.child.stdin.flush()
            return
        for part in (0.25, 0.5):
            self.write_message({"type": "progress", "loaded": part * BYTES, "total": BYTES})
        if self.relay.refuse:
            self.write_message({"type": "failed", "message": self.relay.refuse.pop(0)})
            return
        path = os.pathsep.join([str(BOOK), os.environ.get("PYTHONPATH", "")])
        self.child = subprocess.Popen([sys.executable, __file__, str(self.relay.cwd)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      text=True, encoding="utf-8", env=os.environ | {"PYTHONPATH": path})
        self.relay.children.append(self.child)
        threading.Thread(target=self._pass_on, args=(self.child,), daemon=True).start()

    def _pass_on(self, child):
        for line in child.stdout:
            self.loop.call_soon_threadsafe(self._answer, line)

    def _answer(self, line):
        with contextlib.suppress(tornado.websocket.WebSocketClosedError):  # the page has left in the meantime
            self.write_message(line)

    def on_close(self):
        if self.child:
            self.child.kill()
            self.child.wait()


class _Worker(tornado.web.RequestHandler):
    def get(self):
        self.set_header("Content-Type", "text/javascript")
        self.write(WORKER)


class _Manifest(tornado.web.RequestHandler):
    def get(self):
        self.write({"version": "0", "bytes": 2 * BYTES, "files": {"core": BYTES - 1, "scipy": BYTES, "numpy": 1},
                    "packages": {"numpy": ["numpy"], "matplotlib": ["numpy"], "scipy": ["numpy", "scipy"]}})


@contextlib.contextmanager
def relay(folder: Path, cwd: Path = BOOK, local: bool = True) -> Iterator[Relay]:
    """Serve `folder`; every worker.js in it is the stand-in, and with `local` there seems to be a Pyodide beside the pages.

    cwd : the folder in which cells run.
    """
    made = Relay(cwd)
    loop = asyncio.new_event_loop()
    started = threading.Event()

    async def serve():
        routes = [(r"/relay", _Socket, {"relay": made}), (r".*/worker\.js", _Worker)]
        routes += [(r".*/pyodide/manifest\.json", _Manifest)] if local else []
        application = tornado.web.Application([*routes, (r"/(.*)", tornado.web.StaticFileHandler, {"path": str(folder)})],
                                              log_function=lambda handler: None)
        [socket] = tornado.netutil.bind_sockets(0, "127.0.0.1")
        server = tornado.httpserver.HTTPServer(application)
        server.add_socket(socket)
        made.address = f"http://127.0.0.1:{socket.getsockname()[1]}"
        made.stop = asyncio.Event()
        started.set()
        await made.stop.wait()
        server.stop()
        await server.close_all_connections()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    started.wait(10)
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(made.stop.set)
        thread.join(10)
        for child in made.children:
            child.kill()
            child.wait()


def child(cwd: str) -> None:
    """Do what comes on standard input, a message a line, and answer on standard output."""
    from runnable.kernel import Kernel

    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)  # what a library prints past sys.stdout is no message

        def send(message):
            answers.write(json.dumps(message) + "\n")
            answers.flush()

        kernel = Kernel(send, cwd)
        send({"type": "ready"})
        for line in sys.stdin.buffer:
            message = json.loads(line)
            getattr(kernel, message.pop("type"))(**message)


if __name__ == "__main__":
    child(sys.argv[1])
