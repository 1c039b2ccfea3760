"""Reads .md, .rst and .txt: the text is the file itself, so that every span points into the original.

Header fields come from a front matter (`---`) or from lines `Name: value` at the top, as in mail and in PEPs. It knows
nothing of claims.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ...ledger import Finding
from ..dates import dates
from . import Document, Link, Section

Field = tuple[str, str, int, int]

with (Path(__file__).parent / "text.toml").open("rb") as _file:
    _CALLED = {word: name for name, words in tomllib.load(_file)["fields"].items() for word in words.split()}
#: Encodings that say so themselves: their bytes make no sense as another. Those of the West are told apart by hand.
_FAR = ["cp932", "euc_jp", "gb18030", "cp949", "big5", "cp1251", "koi8_r", "cp1253"]
_FIELD = re.compile(r"^([A-Za-z][\w \-]{0,40}):[ \t]*(.*)$")
_FENCE = re.compile(r"^\s{0,3}(`{3,}|~{3,})")
_UNDERLINE = re.compile(r"^([=\-~^\"'`#*+.:_])\1{2,}\s*$")
_LINKS = re.compile(
    r"\[\[(?P<wiki>[^\]|#\n]{1,200})(?:#[^\]|\n]*)?(?:\|(?P<shown>[^\]\n]{1,200}))?\]\]"
    r"|(?<!!)\[(?P<text>[^\[\]\n]{1,200})\]\((?P<url>[^()\s]{1,500})\)"
    r"|:(?P<role>pep|rfc):`(?:[^`<]*<)?(?P<number>\d+)>?[^`]*`"
    r"|`(?P<named>[^`<>]{1,200})\s<(?P<target>[^<>\s]{1,500})>`__?"
)
#: How books begin a chapter, on a line of its own; a number before a short line; and who wrote it, under its name.
_CHAPTER = re.compile(r"(?i)(?:chapter|kapitel|chapitre|book|part)\s+(?:[ivxlc]+|\d+(?:\.[ivxlc]+)?)\b(?![’',])")
_NUMBERED = re.compile(r"\d{1,2}\.[ \t]+[^\W\d_].{2,48}[^\W_]$")
_BY = re.compile(r"^[ \t]*[Bb][Yy] ((?:[A-Z][\w.'’-]*[ \t]+){1,4}[A-Z][\w'’-]+)(?=[ \t\r]*\n\s*\n)", re.MULTILINE)
_FREE = re.compile(r"\b(?:document|text|work) (?:is|has been)(?: hereby)? (?:placed )?in the public\s+domain", re.I)
_SMALL = frozenset(["a", "an", "and", "as", "at", "by", "for", "from", "in", "of", "on", "or", "the", "to", "with"])
_TITLES = ("title", "subject", "name")
#: What a text says of its day, the surest first; a clipping is created on the day that it was clipped.
_DAYS = ("published", "date", "updated", "created", "clipped")


def decoded(data: bytes, name: str) -> tuple[str, Finding | None]:
    """Bytes as text, and a finding where they are not the encoding that they say, or no text at all."""
    code = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    if code != "utf-16" and b"\0" in data[:8_000]:
        told = "holds bytes that no text holds (UTF-16 needs its mark)"
        return "", Finding("source-binary", "warning", name, told, "give it its right suffix, or iconv -t utf-8")
    try:
        return data.decode(code), None
    except UnicodeDecodeError as error:
        other = "utf-16" if code == "utf-16" else _encoding(data)
        shown = {"utf-16": "UTF-16", "cp1252": "Windows-1252"}.get(other, other)
        told = f"is not {code[:6].upper().strip('-')} from byte {error.start}; read as {shown}, and the file is kept"
        hint = f"iconv -f {'macintosh' if other == 'mac_roman' else other.replace('_', '-')} -t utf-8"
        return data.decode(other, "replace"), Finding("source-encoding", "warning", name, told, hint)


def _encoding(data: bytes) -> str:
    """The likely encoding of bytes that are no UTF-8: far ones as charset-normalizer finds them; of the Western ones,
    whose letters lie elsewhere, that of old Macs where most stand in its range."""
    sample = data if len(data) < 100_000 else data[:100_000].rpartition(b"\n")[0]
    low = len(re.findall(rb"(?<=[A-Za-z])[\x80\x83-\x90\x96-\x9f]|[\x80-\x90\x98-\x9f](?=[a-z])", sample))
    high = len(re.findall(rb"[\xc0-\xff]", sample))
    if 3 * len(re.findall(rb"[\x80-\xff]", sample)) > len(sample):
        from charset_normalizer import from_bytes

        if (best := from_bytes(sample, cp_isolation=_FAR).best()) is not None:
            return best.encoding
    return "mac_roman" if low > high else "cp1252"


def parse(data: bytes, name: str) -> Iterator[Document | Finding]:
    """One document; UTF-8 or UTF-16 with its mark, else Latin-1 with a finding."""
    text, wrong = decoded(data, name)
    yield from [wrong] if wrong else []
    if wrong and wrong.rule == "source-binary":
        return
    markdown = not name.lower().endswith((".rst", ".txt"))
    fields, body = _front_matter(text) if text.startswith("---") else _header(text)
    fields = [(_CALLED.get(key.casefold(), key), *rest) for key, *rest in fields]
    if not fields and not markdown and (found := _BY.search(text[:3_000])):
        fields = [("author", found[1].title() if found[1].isupper() else found[1], *found.span())]
    value = {key.lower(): found for key, found, _, _ in reversed(fields)}
    sections = tuple(_sections(text, body, markdown))
    top = next((s.heading for s in sections if s.level == 1 and (markdown or not _CHAPTER.match(s.heading))), "")
    stem = PurePosixPath(name).stem
    title = next((value[key] for key in _TITLES if value.get(key)), "") or (top if markdown or not body else "")
    title = title or ("" if markdown or body else _named_at_top(text))
    title = title or (sections[0].heading if sections and sections[0].start <= body + 200 else "") or _spoken(stem)
    subject = title
    if fields and fields[0][1].isdigit() and fields[0][0].lower() not in ("date", "year", "version"):
        subject = f"{fields[0][0]} {fields[0][1]}"
        title = f"{subject}: {title}"
    dated = [*(value.get(key, "") for key in _DAYS), stem[:10]]
    when = next((found[0][0] for found in map(dates, dated) if found), "")
    uri = next((value[key] for key in ("source", "url", "resource") if value.get(key, "").startswith("http")), "")
    meta: dict[str, object] = {"subject": subject, "fields": [list(found) for found in fields]}
    meta |= {"body": body} if fields and (text.startswith("---") or not body) else {}
    licence = value.get("licence", value.get("license", "")) or _licence(text)
    exact = text.encode("utf-8", errors="surrogatepass") == data
    yield Document(
        name, title, text, "text/markdown" if markdown else "text/x-rst" if name.endswith(".rst") else "text/plain",
        value.get("author", value.get("authors", "")), when, uri, licence,
        sections, tuple(_links(text)), meta, raw=None if exact else data,
    )  # fmt: skip


def headed(**said: str) -> tuple[str, list[Field]]:
    """A front matter with what a format says beside its text, and its fields: so that a claim can quote it."""
    told = "".join(f"{name}: {' '.join(value.split())}\n" for name, value in said.items() if value)
    head = f"---\n{told}---\n\n" if told else ""
    return head, _front_matter(head)[0]


def _licence(text: str) -> str:
    """What a text says of its own licence: an SPDX line, or that it is in the public domain."""
    found = re.search(r"SPDX-License-Identifier:\s*([\w.+-]+)", text[:4_000] + text[-4_000:])
    free = _FREE.search(text)
    return found[1] if found else "public domain" if free else ""


def _named_at_top(text: str) -> str:
    """What a book is called: the lines in capitals that it begins with, as a title has them."""
    found = re.match(r"\s*((?:[^a-z\n]*[A-Z][^a-z\n]*\n(?:[ \t\r]*\n)?){1,6})", text[:1_000])
    named = _titled(re.split(r"\n\s*(?=CHAPTER |CONTENTS)", found[1].strip())[0]) if found else ""
    return named if 3 < len(named) < 200 else ""


def _titled(capitals: str) -> str:
    """A name in capitals as names are written, but for the number of a chapter."""

    def word(found: re.Match[str]) -> str:
        if _CHAPTER.match(capitals) and re.fullmatch(r"\w+[ .\d]*", capitals[: found.start()]):
            return found[0]
        small = found.start() and (bare := found[0].casefold()) in _SMALL and capitals[found.start() - 1] == " "
        return bare if small else found[0][:1].upper() + found[0][1:].casefold()

    capitals = " ".join(capitals.split()).strip(" .")
    return re.sub(r"[^\W\d_][\w'’]*", word, capitals)


def _spoken(stem: str) -> str:
    words = re.sub(r"^\d{4}-\d\d-\d\d[-_ ]*", "", stem)
    words = re.sub(r"[-_]+", " ", re.sub(r"\.(?:png|jpe?g|gif|webp)$", "", words, flags=re.I)).strip() or stem
    return words[0].upper() + words[1:]


def _lines(text: str, start: int = 0) -> Iterator[tuple[int, str]]:
    for line in text[start:].splitlines(keepends=True):
        yield start, line.rstrip("\r\n")
        start += len(line)


def _header(text: str) -> tuple[list[Field], int]:
    """Fields `Name: value` from the first line to the first empty one; continuation lines are indented."""
    fields: list[Field] = []
    for start, line in _lines(text):
        if not line.strip():
            named = bool(fields) and fields[0][0] == "title" and fields[0][2] == 0
            return (fields, start) if len(fields) >= 2 + named else ([], 0)
        if start == 0 and not _FIELD.match(line) and len(line) < 120 and line[0] not in " \t-*>|`":
            fields.append(("title", line.strip("# "), 0, len(line)))  # the line above them, which names what they tell
        elif line[0] in " \t" and fields:
            key, value, first, _ = fields[-1]
            fields[-1] = (key, f"{value} {line.strip()}".strip(), first, start + len(line))
        elif match := _FIELD.match(line):
            fields.append((match[1].strip(), match[2].strip(), start, start + len(line.rstrip())))
        else:
            return [], 0
    return [], 0


def _front_matter(text: str) -> tuple[list[Field], int]:
    """The flat part of a YAML front matter: scalars and lists of scalars; anything deeper is left where it is."""
    fields: list[Field] = []
    for number, (start, line) in enumerate(_lines(text)):
        if number == 0:
            continue
        if line.strip() in ("---", "..."):
            return fields, start + len(line) + 1
        item = re.match(r"^\s*- +(.*)$", line)
        if item and fields:
            key, value, first, _ = fields[-1]
            fields[-1] = (key, f"{value}, {_bare(item[1])}".strip(", "), first, start + len(line))
        elif (match := _FIELD.match(line)) and number < 200:
            value = match[2].strip()
            listed = value.startswith("[") and not value.startswith("[[")
            parts = value.removeprefix("[").removesuffix("]").split(",") if listed else [value]
            fields.append((match[1].strip(), ", ".join(filter(None, map(_bare, parts))), start, start + len(line)))
    return [], 0


def _bare(value: str) -> str:
    value = value.strip()
    value = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
    return re.sub(r"\[\[(?:[^\]|]*\|)?([^\]|]*)\]\]", r"\1", value).strip()


def _sections(text: str, body: int, markdown: bool) -> Iterator[Section]:
    """Headings `#` and underlined ones; a heading's level in reStructuredText is the order its mark comes in."""
    found: list[tuple[str, int, int]] = []
    marks = ["=", "-"] if markdown else []
    before, fence, alone, opened = (body, ""), "", True, False  # alone: no line stood above the one before
    for start, line in _lines(text, body):
        mark = _FENCE.match(line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1][:3]
        elif fence:
            pass
        elif markdown and (match := re.match(r"^(#{1,6})\s+(.+?)\s*#*$", line)):
            found.append((match[2], len(match[1]), start))
        elif not markdown and opened and (not line.strip() or (line.isupper() and not _CHAPTER.match(line))):
            found[-1] = (f"{found[-1][0]} {_titled(line)}".strip(), *found[-1][1:])  # its name may stand below
        elif not markdown and not before[1].strip() and len(line) < 120 and _CHAPTER.match(line):
            capitals = sum(map(str.isupper, line)) > sum(map(str.islower, line))
            found.append((_titled(line) if capitals else line.strip(" ."), 1, start))
        elif not markdown and alone and line[:1].isupper() and _NUMBERED.match(before[1]):
            found.append((before[1].strip(), 2, before[0]))
        elif (under := _UNDERLINE.match(line)) and before[1].strip() and not before[1][0].isspace():
            title = before[1].strip()
            long = len(line.rstrip()) >= min(len(title), 3)
            if long and not _UNDERLINE.match(title) and (not markdown or under[1] in marks):
                marks += [under[1]] if under[1] not in marks else []
                if not markdown or len(title) < 120:
                    found.append((title, marks.index(under[1]) + 1, before[0]))
        opened = bool(found) and (found[-1][2] == start or (opened and (not line.strip() or line.isupper())))
        alone, before = not before[1].strip(), (start, line)
    numbers = [m[0].casefold() if (m := _CHAPTER.match(heading)) else "" for heading, *_ in found]
    listed = (bool(n) and n in numbers[i:] and found[i][2] - found[i - 1][2] < 400 for i, n in enumerate(numbers, 1))
    found = [one for one, of_contents in zip(found, listed, strict=True) if not of_contents]
    for i, (heading, level, start) in enumerate(found):
        yield Section(heading, level, start, found[i + 1][2] if i + 1 < len(found) else len(text))


def _links(text: str) -> Iterator[Link]:
    for m in _LINKS.finditer(text):
        if m["wiki"]:
            yield Link(m["shown"] or m["wiki"], m["wiki"].strip(), m.start())
        elif m["role"]:
            yield Link(f"{m['role'].upper()} {m['number']}", f"{m['role'].upper()} {m['number']}", m.start())
        else:
            yield Link(m["text"] or m["named"], m["url"] or m["target"], m.start())
