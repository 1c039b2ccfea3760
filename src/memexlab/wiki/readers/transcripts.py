"""Reads VTT and SRT: who said what, without the times between the words; `meta["times"]` keeps them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from ...ledger import Finding
from ..dates import dates
from . import Document
from .text import decoded, headed

_TIME = r"(?:(\d+):)?(\d{1,2}):(\d{2})[.,](\d{3})"
_CUE = re.compile(rf"{_TIME}\s*-->\s*{_TIME}")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_PAUSE_SECONDS = 4.0


def parse(data: bytes, name: str) -> Iterator[Document | Finding]:
    """One document: a paragraph a speaker, or a pause; a caption that repeats the one before it counts once."""
    text, wrong = decoded(data, name)
    yield from [wrong] if wrong else []
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    stem = PurePosixPath(name).name.rsplit(".", 1)[0]
    title = re.sub(r"(\d{4}) (\d\d) (\d\d)", r"\1-\2-\3", re.sub(r"[-_.]+", " ", stem)).strip()
    title = title[:1].upper() + title[1:]
    day = next((found[0] for found in dates(stem)), "")
    head, fields = headed(created=day)
    out: list[str] = []
    times: list[tuple[int, float]] = []
    said: list[str] = []
    speakers: set[str] = set()
    at, speaker, before = len(head), "", None
    for block in re.split(r"\n\s*\n", text):
        lines = block.strip().split("\n")
        found = next(((i, m) for i, line in enumerate(lines) if (m := _CUE.match(line.strip()))), None)
        if found is None:
            continue
        i, cue = found
        seconds, ends = (
            int(hours or 0) * 3600 + int(minutes) * 60 + int(whole) + int(thousandths) / 1000
            for hours, minutes, whole, thousandths in (cue.groups()[:4], cue.groups()[4:])
        )
        for line in lines[i + 1 :]:
            voice = _VOICE.search(line)
            spoken = " ".join(html.unescape(re.sub(r"<[^>]*>|\{\\[^}]*\}", "", line)).split())
            if not spoken or spoken in said[-3:]:  # rolling captions say each line twice or three times
                continue
            said.append(spoken)
            named = voice[1].strip() if voice else speaker
            speakers |= {named} - {""}
            pause = before is None or (seconds - before > _PAUSE_SECONDS and not said[-2:-1][0].endswith(","))
            lead = ("\n\n" if out else "") if pause or named != speaker else " "
            lead += f"{named}: " if named and (named != speaker or not out) else ""
            times.append((at + len(lead), seconds))
            out += [lead, spoken]
            at += len(lead) + len(spoken)
            speaker, before = named, ends
    if not out:
        yield Finding("source-damaged", "warning", name, "holds no captions", "a .vtt or .srt file has lines with -->")
        return
    meta = {"subject": title, "fields": fields, "times": times, "speakers": sorted(speakers)}
    yield Document(name, title, head + "".join(out) + "\n", "text/vtt", published=day, meta=meta, raw=data)
