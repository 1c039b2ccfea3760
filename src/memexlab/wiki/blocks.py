"""A page as blocks whose names outlive a new rendering, and the blocks that a person wrote laid over it.

A block is named by the claim it states, else by what it says, so that numbers of footnotes and addresses of links do
not tell two renderings apart. It knows no ledger and no files.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from urllib.parse import unquote

from .prose import spoken

CLAIMED = re.compile(r"(?:^|[ \t])\^(c[0-9a-f]{10})[ \t]*$", re.MULTILINE)
MARK = re.compile(r"\[\^([\w-]+)\](?!:)")
LINK = re.compile(r"\[\[([^\[\]|#\n]*)(#[^\[\]|\n]*)?(?:\|([^\[\]\n]*))?\]\]")
_DEFINES = re.compile(r"\[\^([\w-]+)\]:[ \t]*")
_SAID_BY = re.compile(r" \(said by [^()\n]{1,80}\)(?=(?:\[\^[\w-]+\])* \^c[0-9a-f]{10})")
_SAID_LAST = re.compile(r" \(said by [^()\n]{1,80}\)\s*$")
_SAYS = re.compile(r" \([^()\n“]{1,80} says: “[^”\n]*”\)(?= \^c[0-9a-f]{10})")
_SECTION = re.compile(r"##? ")
_ITEM = re.compile(r"(?:[-*+]|\d{1,9}[.)])[ \t]")
_BEGINS = re.compile(rf"{_ITEM.pattern}|#{{1,6}} |{_DEFINES.pattern}")
_FENCE = re.compile(r"[ \t]*(?:[-*+] +|> ?)*(```+|~~~+)")
_NOTE = re.compile(
    r"“(?P<words>.*)” \[(?P<shown>[^\n]*?)(?P<place>(?:#[^\]#\s]+)?)\]\(\.\./(?P<file>[^)\s#]+)(?P=place)\)$"
)
_TAGS, _ADDRESS = re.compile(r"<[^<>]*>"), re.compile(r"!?\[([^\[\]]*)\]\((?:[^()]|\([^()]*\))*\)")
_LED = re.compile(r"^(?:[-*+]|\d{1,9}[.)])[ \t]+|\*\*([^*\n]{1,80})\*\*[ ]?(?=\S)")
_LINES = re.compile(r"#L(\d+)(?:-L(\d+))?")


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, item of a list, heading, callout, footnote, fence or line of front matter, as it stands."""

    text: str
    name: str
    blanks: int
    line: int


@dataclass(frozen=True, slots=True)
class Hand:
    """What a person made of a page: a block, instead of others or after others; `gone` where it was left out, `value`
    where it gives a value in place of another, `home` the source whose own page it is."""

    entry: str
    by: str
    subject: str
    page: str
    name: str
    instead: tuple[str, ...]
    after: tuple[str, ...]
    text: str
    blanks: int
    notes: Mapping[str, str]
    gone: bool
    value: str = ""
    home: str = ""

    def words(self) -> str:
        """The text in one line, without markup."""
        words = _TAGS.sub("", _ADDRESS.sub(r"\1", CLAIMED.sub("", MARK.sub("", self.text))))
        return spoken(words).replace("](", "] (").strip()


@dataclass(frozen=True, slots=True)
class Cited:
    """A footnote as memex writes it: where its words stand, and the words without the marks of a page; line 0 where the
    file has no lines."""

    source: str
    line: int
    last_line: int
    words: str


def parse(text: str, hands: Iterable[Hand] = (), named: bool = True) -> list[Block]:
    """The blocks of a page; those that a hand wrote carry its name; `named` alone costs most of the time."""
    own = {digest(hand.text): hand.name for hand in hands if not hand.gone}
    taken: dict[str, int] = {}
    out = []
    for lines, blanks, at, front in _cut(text.replace("\r\n", "\n")):
        whole = "\n".join(lines)
        if not named and not front:
            out.append(Block(whole, "", blanks, at))
            continue
        if front:
            name = f"front:{lines[0].split(':')[0].strip()}"
        elif defines := _DEFINES.match(whole):
            name = f"n{digest(whole[defines.end() :])}"
        elif claimed := CLAIMED.search(whole):
            name = claimed[1]
        else:
            name = "title" if whole.startswith("# ") else own.get(digest(whole), f"b{digest(whole)}")
        taken[name] = taken.get(name, 0) + 1
        out.append(Block(whole, name if taken[name] == 1 else f"{name}/{taken[name]}", blanks, at))
    return out


def _cut(text: str) -> Iterable[tuple[list[str], int, int, bool]]:
    lines = text.rstrip("\n").split("\n")
    end = next((i for i, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), 0) if lines[0] == "---" else 0
    block: list[str] = []
    blanks, at, fence = 0, 1, ""
    for number, line in enumerate([*lines, ""], 1):
        bare, front = line.strip(), bool(end) and number <= end + 1
        if block and not fence and _starts(block, line, front):
            yield block, blanks, at, front or (bool(end) and number == end + 2)
            block, blanks = [], 0
        if not bare and not fence:
            blanks += 1
            continue
        if not block:
            at = number
        block.append(line)
        if not front and ("```" in line or "~~~" in line) and (found := _FENCE.match(line)):
            fence = found[1][:3] if not fence else "" if bare.startswith(fence) else fence
    if block:  # a fence that never ends
        yield ["\n".join(block).rstrip("\n")], blanks, at, False


def _starts(block: list[str], line: str, front: bool) -> bool:
    """Whether a line begins a block of its own, after the lines of another."""
    if front:
        return not line.startswith((" ", "\t", "- "))
    first = block[0]
    return (
        not line.strip() or bool(_BEGINS.match(line))
        or (line.startswith(">") != first.startswith(">") and not line[0].isspace()) or first.startswith("#")
        or first == "---"
    )  # fmt: skip


def digest(text: str) -> str:
    """What a block says, without marks of footnotes, addresses of links and who said it, as a short name."""
    said = _SAID_LAST.sub("", CLAIMED.sub("", own_words(text)))
    plain = LINK.sub(lambda m: m[3] or m[1], MARK.sub("", said))
    return blake2b(" ".join(plain.split()).encode("utf-8", errors="surrogatepass"), digest_size=5).hexdigest()


def join(blocks: Sequence[Block]) -> str:
    return "\n".join("\n" * block.blanks + block.text for block in blocks) + "\n"


def own_words(text: str) -> str:
    """A block as a person wrote it, without what rendering adds."""
    return _SAYS.sub("", _SAID_BY.sub("", text)) if "^c" in text else text


def bare(text: str) -> str:
    """The words of a block, without the marks that a page needs."""
    words = LINK.sub(lambda m: m[3] or m[1], MARK.sub("", CLAIMED.sub("", own_words(text)))).strip()
    while found := _LED.match(words):
        words = f"{found[1]} {words[found.end() :]}" if found[1] and found[1].endswith(":") else words[found.end() :]
    return words.strip()


def lay_over(text: str, hands: Sequence[Hand], sources: Collection[str], page_of: Callable[[str], str]) -> str:
    """The page with what a person wrote in its place; `hands` in the order in which they were recorded.

    `page_of` says which page a link goes to by now, for a page that was renamed or joined to another.
    """
    if not hands:
        return text
    blocks = parse(text, hands)
    notes = {m[1]: b.text[m.end() :] for b in blocks if (m := _DEFINES.match(b.text))}
    numbers, written = [int(label) for label in notes if label.isdigit()], set(notes.values())
    added: list[Block] = []

    def followed(link: re.Match[str]) -> str:
        there = page_of(link[1])
        return link[0] if there == link[1] else f"[[{there}{link[2] or ''}|{link[3] or link[1]}]]"

    def cite(hand: Hand, instead: str = "") -> str:
        """The words of a person, with marks that fit the footnotes of this rendering; and who said them, where they
        cite nothing and are a claim or stand in place of what cited."""

        def mark(match: re.Match[str]) -> str:
            told = hand.notes.get(match[1])
            cited = cited_in(told or "")
            if told is None:
                return match[0]
            if cited is not None and cited.source not in sources:
                return ""
            label = next((label for label, words in notes.items() if words == told), None)
            if label is None:
                kept = match[1] not in notes and not match[1].isdigit()
                label = match[1] if kept else str(max(numbers, default=0) + 1)
                notes[label] = told
                numbers.append(int(label) if label.isdigit() else 0)
                added.append(Block(f"[^{label}]: {told}", f"n{digest(told)}", 0, 0))
            return f"[^{label}]"

        words = MARK.sub(mark, hand.text)
        words = LINK.sub(followed, words)
        claim = CLAIMED.search(words)
        cites = (notes.get(label, "") for label in MARK.findall(words))
        if (claim or MARK.search(instead)) and not any(cited_in(told) or told in written for told in cites):
            end, by = (
                claim.start() if claim else len(words),
                f" (said by {hand.by})",
            )  # their own note is their own word
            words = words if words[:end].endswith(by) else f"{words[:end]}{by}{words[end:]}"
        return words

    waiting: list[Hand] = []
    for hand in hands:
        places = [i for i, block in enumerate(blocks) if block.name in (*hand.instead, hand.name)]
        if not places:
            waiting += [] if hand.gone else [hand]
            continue
        first = blocks[places[0]]
        label = _DEFINES.match(first.text)
        if label and cited_in(first.text[label.end() :]) and cited_in(_DEFINES.sub("", hand.text, count=1)):
            continue  # a quote says what its source says
        words = f"{label[0]}{_DEFINES.sub('', hand.text, count=1)}" if label else cite(hand, first.text)
        kept = [block for i, block in enumerate(blocks) if i not in places[1:]]
        kept[places[0] : places[0] + 1] = [] if hand.gone else [replace(first, text=words, name=hand.name)]
        if hand.gone and places[0] < len(kept):
            kept[places[0]] = replace(kept[places[0]], blanks=max(first.blanks, kept[places[0]].blanks))
        blocks = kept
    while waiting:
        names = {block.name: i for i, block in enumerate(blocks)}
        coming = {hand.name for hand in waiting}
        hand = next((h for h in waiting if not (h.after and h.after[0] in coming)), waiting[0])
        waiting.remove(hand)
        front = hand.name.startswith("front:")
        end = next((i for i, b in enumerate(blocks) if b.name.startswith("n") and _DEFINES.match(b.text)), len(blocks))
        end = names.get("front:---/2", 0) if front else end
        place = min(next((names[name] + 1 for name in hand.after if name in names), end), end)
        while _SECTION.match(hand.text) and place < end and not _SECTION.match(blocks[place].text):
            place += 1  # what sources say never stands under the heading of a person
        item = _ITEM.match(hand.text) and place and _ITEM.match(blocks[place - 1].text)
        blanks = 0 if front or (item and not hand.blanks) else max(hand.blanks, 1)
        blocks.insert(place, Block(cite(hand), hand.name, blanks, 0))
        if not front and place + 1 < len(blocks) and not (_ITEM.match(blocks[place + 1].text) and item):
            blocks[place + 1] = replace(blocks[place + 1], blanks=max(1, blocks[place + 1].blanks))
    used = {mark for block in blocks for mark in MARK.findall(block.text)}
    blocks = [b for b in blocks if not (m := _DEFINES.match(b.text)) or m[1] in used or b.name not in _unused(notes)]
    if added and not any(_DEFINES.match(block.text) for block in blocks):
        added[0] = replace(added[0], blanks=1)
    return join([*blocks, *added])


def _unused(notes: Mapping[str, str]) -> set[str]:
    return {f"n{digest(words)}" for words in notes.values() if cited_in(words)}


def definitions(blocks: Iterable[Block]) -> dict[str, str]:
    """Footnotes of a page by label."""
    return {m[1]: block.text[m.end() :] for block in blocks if (m := _DEFINES.match(block.text))}


def cited_in(note: str) -> Cited | None:
    """The place and the words of a footnote that memex wrote; None for one that a person wrote."""
    match = _NOTE.match(note.strip())
    if match is None:
        return None
    file, words, lines = unquote(match["file"]), unescaped(match["words"]), _LINES.fullmatch(match["place"])
    if lines is not None:
        return Cited(file, int(lines[1]), int(lines[2] or lines[1]), words)
    if re.sub(r"[\[\]|`\s]+", " ", file) != unescaped(match["shown"]):
        return None  # a link of a person's
    part = "" if match["place"].startswith("#page=") else match["place"]
    return Cited(file + part, 0, 0, words)


def unescaped(text: str) -> str:
    """Words of a page as words of a source: what `safe` does, undone."""
    if not ("\\" in text or "&" in text or "`" in text):
        return text
    return re.sub(r"\\(.)|&lt;|`[^`\n]*`", lambda m: m[1] or html.unescape(m[0]) if m[0][0] != "`" else m[0], text)
