"""A recording: what changes in a figure over all states, small enough to inline.

The bytes are a zlib stream of a four-byte length, a JSON header and packed
integers. Every packed array is 16-bit, differenced along points and along
states as often as pays (`_pack` tries), zigzag coded and split into its low
and high bytes; ``static/explorable.js`` undoes it.
"""

from __future__ import annotations

import json
import struct
import zlib

import numpy as np

from explorable.marks import Mark

_MOST = 0xFFFF  # what 16 bits can count
_FURTHEST = 0x7FFF  # and how far from 0 they reach, in tenths of a point


class Track:
    """One SVG element over all states: its style, body and points.

    A state in which the element is not drawn has style number 0.
    """

    def __init__(self, tag: str, states: int):
        self.tag = tag
        self.style = np.zeros(states, np.uint16)
        self.body = np.zeros(states, np.uint16)
        self.shape = np.zeros(states, np.uint16)
        self._shapes: dict[bytes, int] = {}
        self.points: list[np.ndarray] = []

    def add(self, state: int, style: int, body: int, points: np.ndarray) -> None:
        if len(points) > _MOST or style > _MOST or body > _MOST:
            raise ValueError(f"a path of more than {_MOST:,} points, or more than {_MOST:,} different texts or styles")
        tenths = np.rint(points * 10)
        if np.abs(tenths).max(initial=0) > _FURTHEST:
            raise ValueError(f"a point {np.abs(points).max():.6g} points from the figure's corner; 3,276 is the furthest")
        tenths = tenths.astype(np.int16)
        self.style[state], self.body[state] = style, body
        number = self._shapes.setdefault(tenths.tobytes(), len(self.points))
        if number == len(self.points):
            self.points.append(tenths)
        self.shape[state] = number


class Recording:
    """Marks of all states, stored once each.

    Parameters
    ----------
    states : how many states there will be.
    """

    def __init__(self, states: int):
        self.states = states
        self._tracks: dict[str, list[Track]] = {}
        self._styles: dict[str, int] = {"": 0}
        self._bodies: dict[str, int] = {}

    def add(self, state: int, slot: str, marks: list[Mark]) -> None:
        """Keep the marks of one artist (`slot`) in one state, each in a track that lies above those of the marks before."""
        tracks = self._tracks.setdefault(slot, [])
        place = 0
        for mark in marks:
            found = next((i for i in range(place, len(tracks)) if tracks[i].tag == mark.tag), None)
            if found is None:
                found = place
                tracks.insert(found, Track(mark.tag, self.states))
            style = self._styles.setdefault(mark.style or " ", len(self._styles))
            body = self._bodies.setdefault(mark.body, len(self._bodies))
            tracks[found].add(state, style, body, mark.points)
            place = found + 1

    @property
    def styles(self) -> list[str]:
        """Every style of every mark."""
        return list(self._styles)

    def tracks(self, slot: str) -> list[Track]:
        """The tracks of one artist, back to front."""
        return self._tracks.get(slot, [])

    def mark(self, track: Track, state: int) -> Mark | None:
        """What `track` shows in `state`, or None where it shows nothing."""
        style = track.style[state]
        if not style:
            return None
        styles, bodies = list(self._styles), list(self._bodies)
        points = track.points[track.shape[state]] / 10
        return Mark(track.tag, styles[style].strip(), bodies[track.body[state]], points)

    def to_bytes(self, slots: list[str], controls: list[dict]) -> bytes:
        """The compressed recording, tracks in the order of `slots`."""
        header = {
            "states": self.states,
            "controls": controls,
            "styles": list(self._styles),
            "bodies": list(self._bodies),
            "tracks": [],
        }
        packed = []

        def put(array):
            recipe, data = _pack(array)
            packed.append(data)
            return recipe

        for slot in slots:
            for track in self.tracks(slot):
                counts = np.array([len(points) for points in track.points])
                longest = counts.max()
                xy = np.stack([np.pad(points, ((0, longest - len(points)), (0, 0)), mode="edge") for points in track.points])
                header["tracks"].append({
                    "tag": track.tag,
                    "style": put(track.style[None]),
                    "body": put(track.body[None]),
                    "shape": put(track.shape[None]),
                    "counts": put(counts[None]),
                    "x": put(xy[:, :, 0]),
                    "y": put(xy[:, :, 1]),
                })
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
        return _deflate(struct.pack("<I", len(text)) + text + b"".join(packed))


def _deflate(data: bytes) -> bytes:
    """A zlib stream, tuned for what differencing leaves: small numbers without long repeats."""
    stream = zlib.compressobj(9, strategy=zlib.Z_FILTERED)
    return stream.compress(data) + stream.flush()


def _pack(array: np.ndarray) -> tuple[list[int], bytes]:
    """Pack a (rows, columns) array of 16-bit integers.

    Returns ``[rows, columns, a, b]`` and the bytes, where `a` is how often it
    was differenced along columns and `b` along rows; of the six ways the one
    that zlib makes smallest is taken. Arithmetic is modulo 2**16.
    """
    array = array.astype(np.uint16)
    best = None
    for a in range(3):
        for b in range(2 if len(array) > 1 else 1):
            rest = array
            for _ in range(a):
                rest = np.diff(rest, axis=1, prepend=np.uint16(0))
            for _ in range(b):
                rest = np.diff(rest, axis=0, prepend=np.zeros((1, rest.shape[1]), np.uint16))
            signed = rest.view(np.int16)
            zigzag = ((signed << 1) ^ (signed >> 15)).view(np.uint16)
            data = (zigzag & 0xFF).astype(np.uint8).tobytes() + (zigzag >> 8).astype(np.uint8).tobytes()
            size = len(_deflate(data))
            if best is None or size < best[0]:
                best = size, [*array.shape, a, b], data
    return best[1], best[2]
