"""What the processes of a student's use together, and their end when it is too much.

Each process has limits of its own (`worker.confined`); here are those of all together. On Linux everything is read in
/proc; elsewhere memory and processors are, as far as the system tells.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
import time
from pathlib import Path

import psutil

LOOK = 0.5  # seconds between two looks
IN_SOCKET = 320 * 2**10  # bytes that wait in a stream of AF_UNIX at most: the system's 208 KB, and half of it in the last message
SHARED = re.compile(rb"^([0-9a-f]+)-([0-9a-f]+) \S{3}s ([0-9a-f]+) (\S+ \d+)", re.MULTILINE)  # a line of /proc/PID/maps
IN_STATUS = re.compile(rb"^(VmRSS|VmSwap|RssShmem):\s+(\d+) kB", re.MULTILINE)


class Watch:
    """Looks at the process `pid` and all that descend from it, and ends them when they use more than they may.

    isolated  whether bubblewrap started them
    seconds   see `begin`; this many between two requests
    memory    bytes
    files     in the folders in memory

    stopped   why it ended them: "memory", "time", "processors"; None: it did not
    """

    def __init__(self, pid: int, isolated: bool, seconds: float, memory: int, files: int):
        self.pid, self.isolated, self.usual, self.memory, self.files = pid, isolated, seconds, memory, files
        self.stopped = None
        self._first = psutil.Process(pid)
        self._processes = [self._first]
        self._own: dict[psutil.Process, float] = {}  # the seconds of each, also of those that have ended
        self._most = self._unseen = self._counted = 0.0
        self._lock, self._ended, self._thread = threading.Lock(), threading.Event(), None
        self._request, self._seconds = None, seconds  # when it began, and what had been waited until then

    def start(self) -> None:
        """When there is the worker alone."""
        self._processes = self._tree()
        main = threading.get_native_id()
        self._waited = dict.fromkeys([f"/proc/{self._processes[-1].pid}/schedstat", f"/proc/self/task/{main}/schedstat"], 0)
        self._counted = self.used()
        self._thread = threading.Thread(target=self._look_on, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """End the processes."""
        self._ended.set()
        if self._thread:
            self._thread.join()
        if not self.isolated:  # with bubblewrap all others end with the first
            self._processes = self._tree()
        self._kill()

    def begin(self, seconds: float) -> None:
        """A request that may take this many: by the clock, and of the processors."""
        self._seconds, self._request = seconds, (time.monotonic(), self._waits())

    def left(self) -> float:
        """The seconds that are left for the request; see `_took`."""
        begin, waited = self._request
        left = self._seconds - (time.monotonic() - begin)
        return left if left > 0 else self._seconds - self._took(begin, waited)  # a look that most requests don't need

    def count(self) -> float:
        """The seconds that the request took, which is done: by the clock, or of the processors, since the one before was done."""
        took, used = self._took(*self._request), self.used()
        took, self._counted = max(took, used - self._counted), used
        self._request, self._seconds = None, self.usual
        return took

    def _took(self, begin, waited):
        """Seconds since then. Those in which the worker, or the tests, waited for a processor don't count: others used it."""
        return time.monotonic() - begin - (self._waits() - waited)

    def used(self) -> float:
        """The seconds of the processors that all have used.

        A process that has ended is in the sum of the one that waited for it. If none did, what was last seen of it counts.
        """
        with self._lock:
            total = 0
            for process in self._processes:
                with contextlib.suppress(psutil.Error):  # it has just ended
                    times = process.cpu_times()
                    self._own[process] = times.user + times.system
                    total += self._own[process] + times.children_user + times.children_system
            self._most = max(self._most, total)
            return max(self._most, sum(self._own.values()) + self._unseen)

    def _waits(self):
        """The seconds that the worker and the tests have waited for a processor; 0 where the system does not tell."""
        for path in self._waited:
            with contextlib.suppress(OSError):  # not Linux, or it has ended
                self._waited[path] = int(Path(path).read_text().split()[1]) / 1e9
        return sum(self._waited.values())

    def _tree(self):
        """All processes; those that were seen before stay, if they have lost the one that started them."""
        with contextlib.suppress(psutil.Error):
            found = [self._first, *self._first.children(recursive=True)]
            return found + [process for process in self._processes if process not in found and process.is_running()]
        return self._processes

    def _look_on(self):
        last = time.monotonic()
        while not self._ended.wait(LOOK):
            now, known = time.monotonic(), set(self._processes)
            self._processes = self._tree()
            self._add_unseen([process for process in self._processes if process not in known], now - last)
            last = now
            self.stopped = self._too_much()
            if self.stopped:
                return self._kill()

    def _add_unseen(self, new, seconds):
        """Of those that start and end between two looks only some are seen: these count as if they had run all the time."""
        running = 0
        for process in new:
            with contextlib.suppress(psutil.Error):
                running += process.status() == psutil.STATUS_RUNNING
        self._unseen += min(running, os.cpu_count() or 1) * seconds

    def _too_much(self):
        if self.held() > self.memory or self.isolated and self._in_folders() > self.files:
            return "memory"
        if self.used() - self._counted > self._seconds:
            return "processors"
        request = self._request
        if request and self._took(*request) > self._seconds + 1:  # the tests see it themselves, but not while they write what nobody reads
            return "time"
        return None

    def held(self) -> int:
        """The bytes that all have in memory, swapped ones included; what they share by its size, however little of it is mapped in.

        And what may wait in their sockets, also in those that no process has yet: connections that nobody has accepted.
        """
        held, shared = IN_SOCKET * self._sockets(), {}
        for process in self._processes:
            try:
                status = dict(IN_STATUS.findall(Path(f"/proc/{process.pid}/status").read_bytes()))
                maps = Path(f"/proc/{process.pid}/maps").read_bytes()
            except OSError:  # not Linux, or it has ended
                with contextlib.suppress(psutil.Error):
                    held += process.memory_info().rss
                continue
            held += 1024 * (int(status.get(b"VmRSS", 0)) - int(status.get(b"RssShmem", 0)) + int(status.get(b"VmSwap", 0)))
            for first, end, offset, file in SHARED.findall(maps):
                shared[file] = max(shared.get(file, 0), int(offset, 16) + int(end, 16) - int(first, 16))
        return held + sum(shared.values())

    def _sockets(self):
        """How many there are in the namespace of the network, which is theirs alone; without isolation they can't be told from others."""
        for process in self._processes[1:] if self.isolated else ():
            with contextlib.suppress(OSError):  # it has just ended
                return Path(f"/proc/{process.pid}/net/unix").read_bytes().count(b"\n") - 1
        return 0

    def _in_folders(self):
        files = 0
        for process in self._processes[1:]:
            for folder in ("tmp", "dev/shm"):
                with contextlib.suppress(OSError):  # it has just ended
                    space = os.statvfs(f"/proc/{process.pid}/root/{folder}")
                    files = max(files, space.f_files - space.f_ffree)
        return files

    def _kill(self):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        for process in () if self.isolated else self._processes[1:]:
            with contextlib.suppress(psutil.Error):
                process.kill()


def end_all_of(user: int) -> None:
    """End every process of a user's."""
    while alive := [process for process in psutil.process_iter(["uids", "status"])
                    if process.info["uids"].real == user and process.info["status"] != psutil.STATUS_ZOMBIE]:
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
