"""The states of a live figure, compared with those of its recording."""

import json
import re

import numpy as np
import pytest

from explorable import recorder


def clips_of(live):
    return dict(re.findall('<clipPath id="([^"]+)">(.*?)</clipPath>', live.html().replace(" />", "/>")))


def with_clips(marks, clips):
    """Marks with a clip path itself where its id was, which depends on what was drawn before."""
    return [[tag, re.sub(r"url\(#([^)]+)\)", lambda clip: clips[clip[1]], style), *rest] for tag, style, *rest in marks]


def drawn(live, settings):
    """All slots at each setting: their marks, or those that they had where nothing has changed."""
    clips, now = clips_of(live), None
    for setting in settings:
        slots = json.loads(json.dumps(live.state(setting, check=True)))
        clips |= live.new_clips()
        slots = [slot and with_clips(slot, clips) for slot in slots]
        now = slots if now is None else [old if new is None else new for new, old in zip(slots, now, strict=True)]
        yield now


def recorded(explorable, settings):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recorder, "_audit", lambda *_: None)  # it takes longer than all the rest, and keeps nothing
        recording, artists, clips = recorder.record(explorable.fig, explorable.update, explorable.grid, explorable.id)
    clips = {clip: content for content, clip in clips.items()}
    for setting in settings:
        number = sum(explorable.grid.strides[name] * index for name, index in setting.items())
        marks = [filter(None, (recording.mark(track, number) for track in recording.tracks(str(slot)))) for slot in range(len(artists))]
        yield [with_clips([[*mark[:3], np.rint(mark.points * 10).astype(int).ravel().tolist()] for mark in each], clips) for each in marks]


def assert_drawn_as_recorded(explorable, settings):
    live, seen = list(drawn(explorable.live(), settings)), 0
    for mine, theirs in zip(live, recorded(explorable, settings), strict=True):
        for number, (slot, other) in enumerate(zip(mine, theirs, strict=True)):
            if slot is not None and slot != other:  # None: as in the HTML; pytest's own comparison would take minutes
                raise AssertionError(f"slot {number}: drawn {str(slot)[:2000]}, recorded {str(other)[:2000]}")
        seen += sum(map(bool, mine))
    assert seen
