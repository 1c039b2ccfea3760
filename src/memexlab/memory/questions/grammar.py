"""From a question in words to a typed one: a grammar for what people ask of experiments.

Every word must be accounted for: by the grammar, by the knobs of this memory, or by the words of its descriptions. A
question with a word left over is refused with NotHere, because an answer to part of a question is a guess.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace

from .moments import (
    ANYTIME,
    DIRECTIONS,
    TIE,
    Anchors,
    Condition,
    Impossible,
    NotHere,
    Window,
    in_words,
    recorded,
    without,
)
from .vocabulary import LEXICON, NARROWING, WORDS, Vocabulary, may_hold, named_in, read_metric, unnamed_bound

MOST_CHARS = 600
NO_CONTENT = frozenset(WORDS["no_content"].split())
_ASKED, _SAID, _STATUS, _DECISION, _NUMBERS, _PLACES = (
    WORDS[group] for group in ("asked", "said", "status", "decision", "numbers", "places")
)
_MANY = rf"\d{{1,3}}|{'|'.join(_NUMBERS)}"
_COUNTED_RUNS = r"(?:runs|experiments|trials|results|ones|champions)"
_RANKED = re.compile(
    rf"\b(?P<side>top|best|worst) (?P<many>{_MANY})\b(?= *$| (?:{_COUNTED_RUNS}|by|val|biggest)\b)"
    rf"|\b(?P<much>{_MANY}) (?P<order>best|worst|biggestgains?)\b"
    rf"|\b(?P<order_>last|latest|first) (?P<many_>{_MANY})\b(?= (?:keeps?|kept|crash|discard|confirmed|champions))"
    rf"|\b(?P<place>{'|'.join(_PLACES)})[ -](?=best|worst|highest|lowest|fastest)"
)
_FILTER = "window conditions knobs words status decision reigned actor"
#: What each kind takes into account; a question that says more than that has no answer.
TAKES: dict[str, frozenset[str]] = {
    kind: frozenset(slots.replace("filter", _FILTER).split())
    for kinds, slots in WORDS["takes"].items() for kind in kinds.split()
}  # fmt: skip
#: Kinds that speak of the whole campaign, and take no condition.
_OF_ALL = ("noise", "span", "who")
_OF_MANY = ("count", "mean", "median", "total")


@dataclass(frozen=True, slots=True)
class Question:
    """A question that SQL can answer. `lowest` is None for the campaign's own better and worse."""

    kind: str
    window: Window = ANYTIME
    conditions: tuple[Condition, ...] = ()
    knobs: tuple[tuple[str, ...], ...] = ()
    words: tuple[str, ...] = ()
    status: str = ""
    runs: tuple[int, ...] = ()
    at: int | None = None
    metric: str = ""
    lowest: bool | None = None
    named: tuple[str, ...] = ()  # the knobs as they were written
    actor: str = ""  # who ran it, where descriptions begin with that
    decision: str = ""  # a judgement, as in `verdicts`
    reigned: str = ""  # "champion": only runs that were; "change": only those that took it from another
    most: int = 0  # how many runs, where a number of them is asked for
    skip: int = 0  # runs that come before: 1 for the second best

    @property
    def one_knob(self) -> str:
        """The knob of that very name, where it is also what other names end in; NotHere where there are several."""
        names = self.knobs[0] if len(self.knobs) == 1 else tuple(name for family in self.knobs for name in family)
        if len(self.knobs) != 1 or not all(name.endswith(f"_{names[0]}") for name in names[1:]):
            raise NotHere(f"one knob is needed, not {', '.join(names)[:200]}")
        return names[0]


#: Kinds whose value is no amount: "how much did it help" is not answered by them.
_NO_AMOUNTS = ("tried", "helped", "hurt", "values", "champions", "run")
_SLOTS = (*TAKES["best"], "at", "runs")


def read_question(names: Vocabulary, text: str, last: int) -> Question:
    """The typed question, or NotHere with what is not known; `last` is the newest run that counts."""
    plain = _plain(text)
    for pattern, other in WORDS["rewritten"].items():
        plain = re.sub(pattern, other, plain) if may_hold(pattern, plain) else plain
    numbers = {int(n) for n in re.findall(r"\brun (\d{1,9})\b(?![.])", plain)}
    if named_in("of (?:them|those|these)", plain):
        raise NotHere("of which, an earlier question said; ask it in one")
    newest = r"\b(?:the |our )?(?:last|latest|newest|most recent) (?:run|experiment|trial)\b"
    if re.search(newest, plain) and (
        _cue(plain)[0] in ("why", "idea", "sure") or named_in("change|edit|alter|turn|move", plain)
    ):
        own = "max(number) FROM runs WHERE campaign = ?1 AND role IN ('candidate', 'baseline') AND number <= ?2"
        plain = re.sub(newest, f"run {names.one(own, last)}", plain)
    labels, plain = names.labelled(names.joined(plain))
    baseline = None  # the first, where it is the only one whose description says so
    if named_in(WORDS["baseline"], plain) and (numbers or _cue(plain)[0] != "gain"):
        baseline = names.one("min(number) FROM runs WHERE campaign = ?1 AND role = 'baseline'")
    asked = plain if baseline is None else re.sub(rf"\b(?:{WORDS['baseline']})\b", f"run {baseline}", plain)
    metric, lowest, bound, asked = read_metric(_than_run(names.ranges(asked), names), names)
    kind, cue = _cue(asked)
    numbers |= set() if baseline is None else {baseline}
    if kind == "gain" and len(numbers) == 2:
        measured = bool(bound) or metric not in ("", names.metric)
        return _two_runs("margin", asked.replace(cue, " ", 1), measured, names, last)
    if kind == "gain" and not re.search(r"(?<!since )(?<!after )(?<!until )(?<!before )(?<!from )\brun \d", asked):
        return _progress(asked.replace(cue, " ", 1), metric, bool(bound), names, last)
    if kind in ("common", "differ") and (reign := named_in("(?:the )?champion", asked)):
        asked = f"{asked[: reign.start()]} run {_champion_at(names, Question(kind, at=last))} {asked[reign.end() :]}"
    if kind in ("common", "differ"):
        return _two_runs(kind, asked.replace(cue, " ", 1), bool(metric or bound or labels), names, last)
    reigned, asked = _reigned(asked, names)
    if kind == "gain":
        asked = re.sub(WORDS["before_it"], " ", asked)
    if kind == "changed" and not named_in("between|since|after|from", asked):
        kind = ""
    most = skip = 0
    if ranked := _RANKED.search(asked):
        many = ranked["many"] or ranked["much"] or ranked["many_"] or "0"
        most = int(_NUMBERS.get(many, many))
        skip = _PLACES.get(ranked["place"] or "", 1) - 1
        order = ranked["side"] or ranked["order"] or ranked["order_"] or ""
        asked = f"{asked[: ranked.start()]} {order} {asked[ranked.end() :]}"
    anchors = Anchors(names.db, names.campaign, last, names.read, _STATUS)
    window, asked = anchors.windows(asked, exclusive=kind == "count")
    kind, cue = (kind, cue) if cue in asked else _cue(asked)  # "since the champion changed" asks for none
    asked = asked.replace(cue, " ", 1) if kind else asked
    at, asked = anchors.at(asked)
    bound, asked = (bound, asked) if bound or metric else unnamed_bound(asked, names)
    decision, asked = _one_of(_DECISION, asked)
    status, asked = _one_of(_STATUS, asked) if kind not in ("champion", "changed", "noise") else ("", asked)
    asks_when = re.match(WORDS["when"], plain)
    said = {name for name, words in _SAID.items() if named_in(words, asked)}
    said |= {"last"} if reigned and (asks_when or named_in("last", plain)) and "first" not in said else set()
    said |= {"first"} if asks_when and not said & {"last", "best", "worst"} else set()
    asked = re.sub(rf"\b(?:{'|'.join([*_SAID.values(), WORDS['used_up']])})\b", " ", asked)
    asked = re.sub(r"\b(?:crash|timeout) ?", " ", asked) if status in ("crash", "timeout") else asked
    asked = re.sub(rf"\b(?:{WORDS['spent']})\b", " ", asked) if metric or bound else asked
    terms = names.read(asked)
    conditions = (*bound, *labels, *terms.conditions)
    exact = [c.knob for c in conditions if c.sign == "=" and c.old is None]
    if both := {knob for knob in exact if exact.count(knob) > 1}:
        raise NotHere(f"two values of {both.pop().removeprefix('label ')} at once; memex effects compares settings")
    several = len(conditions) + len(terms.knobs) + len(terms.words) > 1 or named_in("better|worse", plain)
    if several and named_in("or(?! not)|either|nor", asked):
        raise NotHere("'or' between two things; ask for each")
    actors = [word for word in terms.words if names.prefixed(word)]
    actor = actors[0] if len(actors) == 1 else ""
    terms = replace(terms, words=tuple(w for w in terms.words if w != actor and not (actor and w == "by")))
    known = Question("run", window, conditions, terms.knobs, terms.words, status, (), at, metric, lowest,
                     terms.named, actor, decision, reigned, most, skip)  # fmt: skip
    found = _settled(known, kind, said, plain, names)
    spared = {"metric"} if found.metric == names.metric and found.kind != "of_best" else set()
    if re.match(WORDS["amounts"], plain) and found.kind in _NO_AMOUNTS and not (found.metric and found.kind == "run"):
        raise NotHere("an amount of that")
    given = {name: getattr(found, name) for name in _SLOTS if name not in TAKES[found.kind] | spared}
    if over := [name for name, value in given.items() if value is False or (value and value != ANYTIME)]:
        raise NotHere(f"a question for {found.kind} takes no {', '.join(over)}")
    return found


def mended(names: Vocabulary, text: str) -> dict[str, str]:
    """Words that nothing here knows and that one typing slip makes of just one word that is known, by the right one."""
    newest = "SELECT description FROM runs WHERE campaign = ? ORDER BY number DESC LIMIT 2000"
    told = [row[0] for row in names.db.execute(newest, (names.campaign,))]
    own = " ".join([*names.knobs, *names.metrics, *(" ".join(p) for p in names.aliases.phrases), *told])
    known = LEXICON | set(re.findall(r"[a-z]{4,}", own.lower()))
    found = {}
    for word in set(re.findall(r"(?<![\w])[a-z]{4,}(?![\w])", _plain(text))) - known:
        sure = LEXICON if len(word) == 4 else known  # a short word is near to too many
        alike = (k for k in sure if k[0] == word[0] and len(k) > 4 and abs(len(k) - len(word)) < 2)
        near = [k for k in alike if _one_slip(word, k)]
        if len({re.sub("(?:e?s|e?d|ing|e)$", "", k) for k in near}) == 1:
            found[word] = max(near, key=len)
    return found


def _one_slip(one: str, two: str) -> bool:
    """One letter too many, too few or wrong, or two swapped."""
    start = next((n for n, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    a, b = one[start:], two[start:]
    return a[1:] == b or b[1:] == a or a[1:] == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])


def _cue(text: str) -> tuple[str, str]:
    return next(((kind, found[0]) for kind, words in _ASKED.items() if (found := named_in(words, text))), ("", ""))


def _than_run(text: str, names: Vocabulary) -> str:
    """ "Which runs beat run 8", with what run 8 measured in the place of its number."""
    found = re.search(r"\b(?:which|how many|any) .*?\b(better than|beats?|worse than) run (\d{1,9})\b", text)
    value = found and names.one("value FROM runs WHERE campaign = ?1 AND number = ?2", int(found[2]))
    return f"{text[: found.start(1)]}{found[1]} {value!r}{text[found.end() :]}" if found and value is not None else text


def _reigned(text: str, names: Vocabulary) -> tuple[str, str]:
    """Whether champions are asked for; "replaced run 38" is the first of them after run 38, who must have been one."""
    if found := named_in(WORDS["replaced"], text):
        number = int(found[1] or found[2])
        if not names.one("1 FROM champions WHERE campaign = ?1 AND since = ?2", number):
            raise Impossible(f"run {number} was never champion")
        return "change", f"{text[: found.start()]} first after run {number} {text[found.end() :]}"
    found = named_in(WORDS["reigned"], text)
    no_reign = r"what did |\b(?:since|before|after|until) (?:the )?(?:last )?"  # what stands before it
    if not found or re.search(rf"(?:{no_reign})$", text[: found.start()]):
        return "", text
    at = "first" if " first" in found[0] or (re.search(r"\btook|became|take", found[0]) and " after " in text) else ""
    reigned = "change" if re.search("chang|replac|took|take|became|become|improve", found[0]) else "champion"
    return reigned, f"{text[: found.start()]} {'last' if ' last' in found[0] else at} {text[found.end() :]}"


def _progress(asked: str, metric: str, bound: bool, names: Vocabulary, last: int) -> Question:
    """By how much the champion got better, from the start or since a moment."""
    asked = re.sub(rf"\b(?:{WORDS['from_start']})\b", " ", asked)
    asked = re.sub(r"\bbaseline\b", " ", asked)
    window, asked = Anchors(names.db, names.campaign, last, names.read).windows(asked)
    asked = re.sub(rf"\b(?:{_SAID['helped']}|{WORDS['used_up']}|champion|lower|higher|come|go|score)\b", " ", asked)
    left = names.read(asked)
    if left.words or left.knobs or left.conditions or bound or metric not in ("", names.metric):
        raise _unknown(left.words or left.named or (metric,), names)
    return Question("progress", window)


def _two_runs(kind: str, asked: str, measured: bool, names: Vocabulary, last: int) -> Question:
    runs = tuple(dict.fromkeys(int(n) for n in re.findall(r"(?<![\w.])\d{1,9}\b", asked)))
    used = "|".join((_ASKED["differ"], *([*_SAID.values(), "than", "lower", "higher"] if kind == "margin" else [])))
    left = names.read(re.sub(rf"(?<![\w.])#?\d{{1,9}}\b|\b(?:{used})\b", " ", asked))
    if len(runs) != 2 or left.words or left.knobs or left.conditions or measured:
        raise NotHere("two runs are needed, and what they share or where they differ is in their settings")
    if max(runs) > last or min(runs) < 1:
        raise Impossible(f"there is no run {max(runs)} (runs 1 to {last} are known)")
    return Question(kind, runs=runs)


def _settled(q: Question, kind: str, said: set[str], plain: str, names: Vocabulary) -> Question:
    """The kind that the words ask for, once it is known what they speak of."""
    asks_what = named_in("which|what", plain)
    narrowed = bool(q.words or q.knobs or q.conditions or q.status or q.decision or q.reigned or q.actor)
    placed = q.window != ANYTIME or q.at is not None
    if q.lowest is not None and said & {"helped", "hurt"}:
        raise NotHere("the largest of what helped or hurt; ask for the biggest win")
    order = rf"(?:best|worst|top|{WORDS['low']}|{WORDS['high']}) (?:{'|'.join(map(re.escape, q.words))})"
    if q.words and (named := named_in(order, plain)) and not named_in(WORDS["of_runs"], plain[named.end() :]):
        raise _unknown(q.words, names)  # "best accuracy": no metric of this name
    # How often words of descriptions occur is not how often a thing was tried.
    amounts = any(re.fullmatch(r"[-+]?[\d.]+", word) for word in q.words)
    vague = re.match(WORDS["in_use"], plain) or not NARROWING.isdisjoint(q.words) or amounts
    if q.words and (kind not in ("", "why") or vague):
        raise _unknown(q.words, names)
    if kind == "champion" and "first" in said and not re.match(WORDS["when"], plain):
        return replace(q, kind="first", reigned="champion")
    if kind == "champion" and q.at and (q.metric or re.match(WORDS["when"], plain)):
        raise NotHere("how long somebody reigned; memex registry shows it")
    if kind == "champion" and (q.metric or q.decision) and not (q.words or q.knobs or q.conditions or q.reigned):
        return replace(q, kind="sure" if q.decision else "run", at=_champion_at(names, q), window=ANYTIME)
    if kind == "champion" and len(q.knobs) == 1 and not q.conditions:
        return replace(q, kind="value", at=_champion_at(names, q))
    if re.match("who", plain) and kind not in ("champion", "who") and q.kind == "run":
        raise NotHere("who did what: ask for the runs")
    if not (narrowed or kind not in ("", "champion")) and named_in(WORDS["settings"], plain):
        if q.at is not None or kind == "champion":
            return replace(q, kind="settings", at=_champion_at(names, q) if kind else q.at)
        if said == {"best"} and named_in(WORDS["best_run"], plain):
            return replace(q, kind="settings_of_best")
    if kind in _OF_ALL:
        if said - {"first"} or q.metric not in ("", names.metric):
            raise NotHere(f"the {kind} of part of a campaign")
        return replace(q, kind=kind, metric="")
    if kind in ("sure", "idea", "why") and q.at is not None:
        if q.words or q.knobs or q.conditions or q.metric:
            raise _unknown(q.words or q.named, names)
        return replace(q, kind=kind)
    if kind == "why" and (narrowed or placed):
        kind = ""
    if kind == "gains":
        if q.conditions or q.status or q.decision:
            raise NotHere("the largest gain under a condition")
        return replace(q, kind=kind, most=q.most or (5 if "biggestgains" in plain else 1))
    if kind == "fraction":
        status = q.status or ("keep" if "helped" in said else "")
        if not (status or q.decision) or q.conditions or q.knobs:
            raise NotHere("a fraction of what")
        return replace(q, kind=kind, status=status)
    if kind:
        of_one = {"hurt", "worst", "best"} | ({"first", "last"} if kind in _OF_MANY else set())
        if said & of_one or ("helped" in said and kind not in ("count", "gain")):
            raise NotHere(f"the {kind} of that")
        narrow = q.conditions or (q.knobs and kind in ("champion", "gain"))
        if (narrow and kind not in ("count", "mean", "median", "total")) or (kind == "gain" and not q.at):
            raise NotHere("that question takes no condition on settings")
        if kind in ("sure", "idea", "why") or (kind == "total" and not q.metric):
            raise NotHere("which run is meant")
        return replace(q, kind=kind, status="keep" if kind == "count" and "helped" in said else q.status)
    if re.match(WORDS["when"], plain) and q.at is not None:
        return replace(q, kind="when")
    if len(q.knobs) == 1 and re.match(WORDS["in_use"], plain) and not (said or placed or q.lowest is not None):
        return replace(q, kind="value", at=_champion_at(names, q))
    if q.lowest is not None and len(q.knobs) == 1 and not (q.words or q.conditions or q.metric or q.at):
        return replace(q, kind="reach")
    if said & {"best", "worst"} or q.lowest is not None or (said & {"first", "last"} and narrowed) or q.most or q.skip:
        own = not q.metric or (q.metric == names.metric and re.match("(?:which|what) (?!is|was|were)", plain))
        if "best" in said and q.knobs and own and not (q.words or q.conditions) and _about_setting(plain):
            return replace(q, kind="setting")
        if q.at is not None or (q.knobs and q.words):
            raise NotHere("best of one run")
        _found_in_words(names, q.words)
        if q.metric and q.lowest is None and "best" in said and named_in(WORDS["best_run"], plain):
            return replace(q, kind="of_best")
        if "first" in said and named_in("switch|move|adopt", plain) and (q.words or q.knobs or q.conditions):
            q = replace(q, status=q.status or "keep")
        order = next((name for name in ("worst", "best", "last", "first") if name in said), "best")
        return replace(q, kind=order)
    if "last" in said and named_in("(?:last|latest|newest|most recent) (?:run|experiment|trial)", plain) and not placed:
        return replace(q, kind="last")
    if q.reigned:
        return replace(q, kind="champions")
    if q.knobs and asks_what and _about_setting(plain) and named_in("worked best|won|wins|winning", plain):
        return replace(q, kind="setting")
    if q.metric == "usd" and not narrowed and q.at is None:
        return replace(q, kind="total")
    if q.at is not None:
        if len(q.knobs) == 1 and not (q.words or q.conditions or q.status or q.decision):
            return replace(q, kind="value")
        if q.decision and not (q.words or q.knobs or q.conditions):
            return replace(q, kind="sure")
        amount = named_in("beats?|beaten|gain(?:ed|s)?|how (?:many|much)", plain) and not q.metric
        if q.words or q.knobs or q.conditions or q.window != ANYTIME or amount:
            raise NotHere(f"that of run {q.at}{names.near(' '.join(q.words))}")
        if named_in("scores?|numbers?", plain):
            q = replace(q, metric=q.metric or names.metric)
        return replace(q, kind="moved") if named_in(WORDS["moved"], plain) and not q.metric else q
    if q.metric and named_in("how (?:many|much|fast)", plain) and re.search(WORDS["rates"], q.metric):
        return replace(q, kind="mean")
    if q.metric not in ("", names.metric) and not (q.words or q.knobs):
        raise NotHere(f"{q.metric} of which run")
    chosen = q.status or q.decision or q.actor
    alone = not (q.knobs or q.conditions)
    judged = said & {"helped", "hurt"} and not (chosen or named_in("what happen.*", plain))
    if judged and asks_what and named_in("(?:is|are|was|were) (?:better|worse)", plain):
        raise NotHere("better than what; ask which changes helped, or memex effects")
    if judged and (not q.words or asks_what) and (asks_what or (alone and placed)):
        return replace(q, kind="hurt" if "hurt" in said else "helped")
    which = asks_what and not (named_in("runs?|experiments?|trials?", plain) or q.words or q.conditions or chosen)
    if len(q.knobs) == 1 and which and recorded(names.db, names.campaign, q.knobs[0][0]):
        return replace(q, kind="values")
    says_which = q.words or not alone or q.window != ANYTIME or chosen
    moved = any(c.sign in DIRECTIONS for c in q.conditions)
    lists = says_which and (named_in(WORDS["lists"], plain) or said - {"first", "last"} or chosen or moved)
    short = len(plain.split()) <= 6 and not named_in("how|why|should|would|will|can|could|is|are", plain)
    if lists or ((narrowed or placed) and short):  # "muon?"
        _found_in_words(names, q.words)
        return replace(q, kind="tried")
    if q.words:
        raise _unknown(q.words, names)
    raise NotHere(
        "what is asked was not understood; ask for the best or the top 5, how many, was X tried, why was run N"
        " discarded, who is champion, what changed since run N, the setting of the champion, the noise"
    )


def _champion_at(names: Vocabulary, q: Question) -> int:
    moment = min(n for n in (q.at, q.window.last, 1 << 60) if n is not None)
    since = names.one("max(since) FROM champions WHERE campaign = ?1 AND since <= ?2", moment)
    if since is None:
        raise NotHere("no champion then")
    return int(since)


def _about_setting(text: str) -> bool:
    """A setting is asked for, not a run: "the best depth", "the depth of the best run"."""
    return not named_in(WORDS["of_runs"], text) or named_in(WORDS["of_the_best"], text) is not None


def _one_of(table: dict[str, str], text: str) -> tuple[str, str]:
    """What of a table is named, and the text without it; several with "or" between them, by spaces."""
    found: list[str] = []
    for name, words in table.items():
        here = re.search(rf"\b(?:with (?:a |the )?status (?:of )?)?(?:(?:or|and) (?:were |was )?)?(?:{words})\b", text)
        if here and (not found or " or " in f" {text} {here[0]} "):
            found.append(name)
            text = without(text, here)
    return " ".join(found), text


def _found_in_words(names: Vocabulary, words: tuple[str, ...]) -> None:
    if words and not names.one(f"1 FROM runs r WHERE r.campaign = ?1 AND {in_words(words)} LIMIT 1"):
        raise _unknown(words, names)


def _unknown(words: tuple[str, ...], names: Vocabulary) -> NotHere:
    words = tuple(word.replace(TIE, " ") for word in words)
    unknown = NotHere(f"{' '.join(words)[:80]!r} is not known here{names.near(' '.join(words))}")
    unknown.words = words
    return unknown


def _plain(text: str) -> str:
    """Lower case, one space between words, no quotes, no question mark; `a=b` is three words."""
    shown = unicodedata.normalize("NFKC", text)[:MOST_CHARS].lower()
    shown = re.sub(r"(?<=\d),(?=\d{3}\b)", "", shown)
    shown = re.sub(r"['’](?:ve|re|ll|d|m)\b", " ", shown)
    shown = "".join(" " if unicodedata.category(c)[0] == "C" or c in "\"'`’“”?!,;()[]{}" else c for c in shown)
    shown = re.sub(r"(<=|>=|!=|<>|==|[=<>≤≥])", r" \1 ", shown)
    return re.sub(r"\s+", " ", re.sub(r"[.:](?=\s|$)", " ", shown)).strip()
