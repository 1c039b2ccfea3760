"""Which names are one thing: knobs, components, people, concepts, and the phrases that people give to changes.

Exact normal form first, then the alias table, then rules by type. Rules never join what moves in opposite directions,
holds other numbers, or is of another type. What is only near is proposed; a person or a model joins it by a verdict,
and retracting that verdict parts it again. The table `same` holds these verdicts alone: rules are applied when asked.
"""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING, Literal

from ..ledger import Claim, Draft, Entry, Ref, Refused, UsageError, Verdict
from ..ledger.errors import Finding
from .changes.edits import changes_in_words
from .changes.heading import heading_of, words_of
from .changes.names import SHIPPED, WORDS, Aliases, known, normal_knob, read_number
from .changes.sameness import compare_texts
from .endings import SAME, endings

if TYPE_CHECKING:
    from .store import Memory

Joined = Literal["same", "near", "opposite", "different"]
KINDS = ("run", "knob", "component", "hypothesis", "agent", "campaign", "source", "concept", "person")
#: The relation of a claim that only says that a name is used; verdicts that join names point to two of these.
IS_NAMED = "is_named"
APART = "apart"
_BY_ID = frozenset(("run", "agent", "campaign", "source", "hypothesis"))
_ALIKE = 0.86
_MOST_NAMES = 300


def typed(name: str) -> tuple[str, str]:
    """(kind, rest) of `knob:lr` or `person:Ada Byron`; kind is '' where the name does not say."""
    kind, colon, rest = name.partition(":")
    return (kind, rest.strip()) if colon and kind in KINDS and rest.strip() else ("", name.strip())


@lru_cache(maxsize=4_096)
def key_of(name: str, aliases: Aliases = SHIPPED) -> tuple[object, ...]:
    """What two names share exactly where normal form, alias table or the words of a change make them one."""
    kind, own = typed(name)
    if kind == "person":
        return "person", *_person(own)
    if kind in _BY_ID:
        return kind, own
    if kind == "knob":
        return "", normal_knob(own, aliases)
    own = own.rpartition(":")[2] if kind == "component" else own
    return _change(own, aliases) or _letters(own, aliases)


def compare_names(a: str, b: str, aliases: Aliases = SHIPPED) -> Joined:
    """Whether two names are one thing: `near` is for somebody to decide, `opposite` is never to be joined."""
    (kind, one), (other, two) = typed(a), typed(b)
    if kind and other and kind != other:
        return "different"
    kind = kind or other
    if one == two:
        return "same"
    if kind == "person":
        return _compare_people(one, two)
    if kind in _BY_ID:
        return "different"
    prefix = f"{kind}:" if kind else ""
    keys = key_of(prefix + one, aliases), key_of(prefix + two, aliases)
    if kind == "knob":
        return "same" if keys[0] == keys[1] else _spelled(one, two)
    if _against(keys[0], keys[1]) or _antonyms(_split(one), _split(two)):
        return "opposite"
    told = compare_texts(one, two, aliases) if kind != "component" else "different"
    if told != "different" or keys[0] == keys[1]:
        return "same" if keys[0] == keys[1] and told != "opposite" else told
    both_move = keys[0][0] == keys[1][0] == "change"
    return "different" if both_move else _spelled(one, two)


def _spelled(a: str, b: str) -> Joined:
    """Near where they are spelled alike, hold the same numbers and do not turn one another round."""
    one, two = _split(a), _split(b)
    if _antonyms(one, two) or sorted(filter(_is_number, one)) != sorted(filter(_is_number, two)):
        return "different"
    short, long = sorted(("".join(one), "".join(two)), key=len)
    alike = SequenceMatcher(None, short, long, autojunk=False).ratio() >= _ALIKE
    return "near" if alike or _initials(one, two) else "different"


def _initials(one: Sequence[str], two: Sequence[str]) -> bool:
    short, long = sorted((one, two), key=len)
    return len("".join(short)) > 1 and "".join(word[0] for word in long) == "".join(short)


def why_near(a: str, b: str) -> str:
    """The reason for which two names are near, in words."""
    if typed(a)[0] == "person":
        return "the family name is the same, and no given name speaks against it"
    initials = _initials(_split(typed(a)[1]), _split(typed(b)[1]))
    return "one is the initials of the other" if initials else "the names are spelt alike"


# --- concepts and the phrases of changes

_ARTICLES = frozenset(("a", "an", "the"))
#: Pairs of beginnings that turn a word round; '' is the word without one.
_TURNS = (
    ("pre", "post"), ("over", "under"), ("en", "de"), ("for", "back"), ("max", "min"), ("up", "down"), ("in", "out"),
    ("a", ""), ("un", ""), ("in", ""), ("non", ""), ("anti", ""), ("dis", ""), ("de", ""), ("im", ""),
    ("mono", "multi"),
    ("with", "without"), ("on", "off"), ("before", "after"), ("inner", "outer"), ("left", "right"), ("hard", "soft"),
)  # fmt: skip


def _plain(text: str) -> str:
    """In lower case, without accents, British endings as American."""
    text = unicodedata.normalize("NFKD", text.replace("ł", "l").replace("Ł", "L").replace("ø", "o")).casefold()
    text = "".join(c for c in text if not unicodedata.combining(c))
    return re.sub(r"is(ation|e[drs]?\b|ing\b)", lambda m: f"iz{m[1]}" if m[1] == "ation" else m[0], text)


def _is_number(word: str) -> bool:
    return word[0].isdigit()


@lru_cache(maxsize=4_096)
def _split(text: str) -> tuple[str, ...]:
    words = re.findall(r"\d+(?:\.\d+)*|[^\W\d_]+", _plain(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)))
    return tuple(word for word in words if word not in _ARTICLES)


def _letters(text: str, aliases: Aliases) -> tuple[object, ...]:
    words = _split(text)
    known = aliases.phrases.get(words)
    if known is not None:
        return "", known
    bare = [w[:-1] if len(w) > 3 and w[-1] == "s" and w[-2] not in "sui" else w for w in words]
    return "", "".join(w for w in bare if not _is_number(w)), *(w for w in bare if _is_number(w))


def _antonyms(one: Sequence[str], two: Sequence[str]) -> bool:
    """Whether they differ in one word alone, and there by a beginning that turns it round."""
    if len(one) != len(two):
        return False
    differ = [(a, b) for a, b in zip(one, two, strict=True) if a != b]
    if len(differ) != 1:
        return False
    a, b = differ[0]
    turned = ((p, q) for pair in _TURNS for p, q in (pair, pair[::-1]))
    return any(a.startswith(p) and b.startswith(q) and a[len(p) :] == b[len(q) :] for p, q in turned)


def _forms(words: Iterable[str]) -> Iterable[str]:
    for word in words:
        yield from (word, f"{word}ing", f"{word}{word[-1]}ing", f"{word.removesuffix('e')}ing")


_UP, _DOWN = frozenset(_forms((*WORDS["up"], "stack", "extra", "additional"))), frozenset(_forms(WORDS["down"]))
_ADD, _REMOVE = frozenset(_forms(WORDS["add"])), frozenset(_forms(WORDS["remove"]))
#: Words that name the knob they move.
_NAMING = {"deep": ("depth", 1), "shallow": ("depth", -1), "wid": ("width", 1), "narrow": ("width", -1)}
_NEGATED = frozenset(("not", "never", "stop", "avoid", "don", "doesn"))
#: They say of what, where there is but one of it.
_OF_WHAT = frozenset(("model", "transformer", "network", "net", "number", "neural", "architecture", "its", "rate"))
_COUNTED = frozenset(("depth", "heads", "kv_heads"))
_PRESENT = "present"


def _change(text: str, aliases: Aliases) -> tuple[object, ...] | None:
    """("change", knob, way, how) of a phrase without numbers that says which way something goes, or None."""
    words = re.findall(r"[^\W_]+", _plain(heading_of(text).words))
    if _NEGATED & set(words) or any(read_number(word) for word in words):
        return None
    signs: set[int] = set()
    noun: list[str] = []
    counts = False
    for word in words:
        stem = re.sub(r"(?:e?n)?(?:er|ing|ed)?$", "", word)
        if stem in _NAMING and word != stem:
            noun.append(_NAMING[stem][0])
            signs.add(_NAMING[stem][1])
            counts = True
        elif word in _UP or word in _ADD:
            signs.add(1)
            counts |= word in _UP
        elif word in _DOWN or word in _REMOVE:
            signs.add(-1)
            counts |= word in _DOWN
        else:
            noun.append(word)
    said = [word for word in noun if word not in WORDS["fillers"] and word not in _OF_WHAT - {"rate"}]
    if len(signs) != 1 or not said:
        return None
    if said[-1] in ("block", "blocks", "layer", "layers"):
        said[-1] = "layers"
    names = list(dict.fromkeys(words_of(" ".join(said), aliases)))
    knob = "_".join(names)
    how = "amount" if counts or knob in _COUNTED else _PRESENT
    return "change", knob, signs.pop(), how


def _against(a: Sequence[object], b: Sequence[object]) -> bool:
    return a[0] == b[0] == "change" and a[1] == b[1] and a[2] != b[2]


# --- people

_PARTICLES = frozenset(("von", "van", "de", "der", "den", "di", "da", "la", "le"))


def _person(name: str) -> tuple[str, tuple[str, ...]]:
    """(family name, given names) without address, titles of mail, accents; `Family, Given` is turned round."""
    name = re.sub(r"<[^>]*>|\([^)]*\)", " ", name)
    last, comma, first = name.partition(",")
    words = re.findall(r"[^\W\d_]+(?:['-][^\W\d_]+)*", _plain(f"{first} {last}" if comma else name))
    words = ["von" if word == "v" and 0 < place < len(words) - 1 else word for place, word in enumerate(words)]
    start = next((i for i, word in enumerate(words) if word in _PARTICLES and i), max(len(words) - 1, 0))
    # What is written with an umlaut by some is written with an e after the vowel by others.
    return re.sub(r"([aou])e", r"\1", " ".join(words[start:])), tuple(words[:start])


def _compare_people(a: str, b: str) -> Joined:
    (family, one), (other, two) = _person(a), _person(b)
    if family != other or not family:
        return "different"
    pairs = list(zip(one, two, strict=False))
    if any(x != y and not (min(len(x), len(y)) == 1 and x[0] == y[0]) for x, y in pairs):
        return "different"
    whole = any(x == y and len(x) > 1 for x, y in pairs) or (one == two and bool(one))
    return "same" if whole or len(pairs) > 1 else "near"


# --- what was said to be the same


def settle_same(db: sqlite3.Connection, names: Mapping[str, str]) -> None:
    """Folds the table `same` anew from all verdicts that count: they are few."""
    clusters = clustered([pair[1:] for pair in joined(db)], known(names))
    db.execute("DELETE FROM same")
    for one in clusters:
        canonical = min(one, key=lambda name: (len(name), name))
        db.executemany("INSERT INTO same VALUES (?, ?)", [(name, canonical) for name in one])


def joined(db: sqlite3.Connection) -> list[tuple[str, str, str]]:
    """(verdict, name, name) of the verdicts that count, in the order in which they were recorded."""
    rows = db.execute(
        "SELECT e.id, min(n.subject), max(n.subject) FROM entries e JOIN refs f ON f.seq = e.seq AND f.role = 'same_as'"
        " JOIN entries n ON n.id = f.target WHERE e.kind = 'verdict' AND e.subject GLOB ?1 || ':*'"
        " AND e.body ->> '$.decision' = ?1"
        " GROUP BY e.seq HAVING count(DISTINCT n.subject) = 2 ORDER BY e.at, e.id",
        (SAME,),
    ).fetchall()
    ended = endings(db, [row[0] for row in rows])
    return [row for row in rows if row[0] not in ended]


def clustered(pairs: Iterable[tuple[str, str]], aliases: Aliases = SHIPPED) -> list[set[str]]:
    """Groups of names that the pairs join; a pair that would bring opposites together joins nothing."""
    found: dict[str, set[str]] = {}
    for a, b in pairs:
        one, two = found.get(a, {a}), found.get(b, {b})
        if one is two or any(compare_names(x, y, aliases) == "opposite" for x in one for y in two):
            continue
        for name in (both := one | two):
            found[name] = both
    return list({id(names): names for names in found.values()}.values())


def names_of(db: sqlite3.Connection, name: str, among: Iterable[str], aliases: Aliases = SHIPPED) -> list[str]:
    """Those of `among` that are one with `name`: by exact form, alias table, rules, or a verdict that counts."""
    wanted = {name} | {
        row[0]
        for (given, canonical) in db.execute("SELECT name, canonical FROM same").fetchall()
        if compare_names(given, name, aliases) == "same"
        for row in db.execute("SELECT name FROM same WHERE canonical = ?", (canonical,))
    }
    return [one for one in among if any(compare_names(one, own, aliases) == "same" for own in wanted)]


def join(memory: Memory, a: str, b: str, why: str, by: str) -> Entry:
    """Lands the verdict that two names are one; raises Refused where they are opposite, hold other numbers or types."""
    aliases = _needs(memory, why)
    told = compare_names(a, b, aliases)
    numbers = [[word for word in _split(typed(name)[1]) if _is_number(word)] for name in (a, b)]
    kinds = {typed(name)[0] for name in (a, b)} - {""}
    fault = "they are opposite" if told == "opposite" else "their types differ" if len(kinds) > 1 else ""
    if not fault and told == "different" and numbers[0] != numbers[1] and all(numbers):
        fault = "their numbers differ"
    pairs = [pair[1:] for pair in joined(memory.db)]
    if not fault and not any({a, b} <= names for names in clustered([*pairs, (a, b)], aliases)):
        fault = "names that are one with them are opposite" if a != b else "it is one name"
    if fault:
        hint = 'memex same "MODEL DEPTH" "LAYERS" --why REASON   (memex same lists what is joined)'
        raise Refused([Finding("same-veto", "error", f"{a} / {b}", f"cannot be one: {fault}", hint)])
    named = [Draft(n, Claim(f"{n} is a name", IS_NAMED), key=f"name:{n}") for n in (a, b)]
    refs = (Ref("same_as", "@0"), Ref("same_as", "@1"))
    return memory.land([*named, Draft(f"{SAME}:{a}"[:300], Verdict(SAME, why.strip()), refs)], by)[-1]


def part(memory: Memory, a: str, b: str, why: str, by: str) -> Entry:
    """Takes back every verdict that names just these two; raises UsageError where there is none."""
    _needs(memory, why)
    gone = [verdict for verdict, *names in joined(memory.db) if set(names) == {a, b}]
    if not gone:
        raise UsageError(f"no verdict joins {a!r} and {b!r}", "memex same   (lists what is joined, and by which names)")
    refs = tuple(Ref("retracts", verdict) for verdict in gone)
    return memory.land([Draft(f"{SAME}:{a}"[:300], Verdict(APART, why.strip()), refs)], by)[0]


def _needs(memory: Memory, why: str) -> Aliases:
    if not why.strip():
        raise UsageError("a reason is needed: whoever reads this later must be able to judge it", "--why REASON")
    return known(memory.index.aliases)


def entity_names(db: sqlite3.Connection) -> list[str]:
    """What the memory speaks of by a name that people spell: knobs, people, and the subjects of claims and answers."""
    return [
        row[0]
        for row in db.execute(
            "SELECT 'knob:' || knob FROM (SELECT knob FROM settings UNION SELECT knob FROM changes) WHERE knob <> ''"
            " UNION SELECT 'person:' || author FROM documents WHERE author <> '' UNION SELECT subject FROM entries"
            " WHERE kind IN ('claim', 'answer') AND subject NOT LIKE 'run:%'"
        )
    ]


def proposals(db: sqlite3.Connection, aliases: Aliases = SHIPPED) -> list[tuple[str, str]]:
    """Pairs of known names that are near and that nobody has joined, of the first few hundred of each kind."""
    canonical = dict(db.execute("SELECT name, canonical FROM same").fetchall())
    groups: dict[str, list[str]] = {}
    for name in sorted(entity_names(db)):
        groups.setdefault(typed(name)[0], []).append(name)
    return [
        (a, b)
        for names in groups.values()
        for a, b in _perhaps_near(names[:_MOST_NAMES], aliases)
        if canonical.get(a, a) != canonical.get(b, b) and compare_names(a, b, aliases) == "near"
    ]


def _perhaps_near(names: Iterable[str], aliases: Aliases) -> Iterator[tuple[str, str]]:
    """Every pair of names of one kind that may be near, and few that are not: to compare all is seconds of work."""
    places: dict[tuple[str, int], int] = {}
    known_of = []
    for name in names:
        kind, own = typed(name)
        words, heading = _split(own), heading_of(own)
        letters = "".join(words)
        # A bit for each letter, and another where it stands there again: what two share bounds how alike they are.
        bits = sum(1 << places.setdefault((c, n), len(places)) for c, many in Counter(letters).items()
                   for n in range(many))  # fmt: skip
        said = changes_in_words(heading.words, aliases, heading.undone, heading.remark)
        family = _person(own)[0] if kind == "person" else ""
        numbers = sorted(filter(_is_number, words))
        known_of.append((name, letters, "".join(word[0] for word in words), bits, numbers, bool(said), family))
    for (a, x, i, p, n, moves, family), (b, y, j, q, m, too, other) in combinations(known_of, 2):
        alike = 2 * (p & q).bit_count() >= _ALIKE * (len(x) + len(y)) - 1e-9 or x == j or y == i
        if (n == m and alike) or (moves and too) or (family and family == other):
            yield a, b
