"""From a typed question to SQL over the documented tables, and from its rows to an answer with evidence.

Every number comes from the SQL that is shown. What the memory does not hold has the answer "not in this memory".
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..ledger import FAILED, UsageError
from .anchors import ANYTIME, Condition, Impossible, NotHere, compared, in_words, quoted
from .effects import CampaignEffects
from .names import SHIPPED, Aliases
from .questions import MOST_CHARS, NO_CONTENT, SMALL, Question, read_question
from .registry import registry
from .retrieval import STOPPED, Searcher
from .runs import STATUS_OF_DECISION

_FAILED = ", ".join(f"'{status}'" for status in sorted(FAILED))
_SHOWN = 12
_MOST_REFS = 200
_PASSAGE_RUNS = 10_000
_OWN = "r.role IN ('candidate', 'baseline')"
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """`value` is a number, a text, an object or a list of run numbers; None where the memory does not know.

    `refs` are entry ids of the runs it rests on, the first 200; `confidence` is exact, words (runs were found by words
    of their descriptions), passages (no answer, but quotes of what reads alike; value None) or none.
    """

    question: str
    kind: str
    value: Any
    text: str
    sql: str
    refs: tuple[str, ...]
    as_of: int
    confidence: str


@dataclass(frozen=True, slots=True)
class Scene:
    """One campaign as it was known: its terms, its newest run, and the instant after which nothing counts."""

    db: sqlite3.Connection
    campaign: str
    metric: str
    lower: bool
    last: int
    cut: str | None


def ask(
    db: sqlite3.Connection, campaign: str, question: str, as_of: str | int | None = None, aliases: Aliases = SHIPPED
) -> Answer:
    """The answer to a question about one campaign, when only the runs up to `as_of` (a number or a date) were known.

    Raises UsageError for a campaign that nobody defined; never for a question.
    """
    scene = _scene(db, campaign, as_of)
    try:
        asked = read_question(db, campaign, question, scene.last, aliases)
        return _KINDS[asked.kind](scene, question, asked)
    except Impossible as why:
        return _unknown(scene, question, why)
    except NotHere as why:
        return _passages(scene, question, why)


def _unknown(scene: Scene, question: str, why: NotHere) -> Answer:
    return Answer(question, "unknown", None, f"not in this memory: {why}", "", (), scene.last, "none")


def _passages(scene: Scene, question: str, why: NotHere) -> Answer:
    """The descriptions and documents that hold most words of a question that was not understood, quoted as such."""
    plain = re.findall(r"[^\W_]{3,}", question[:MOST_CHARS].lower())
    words = [w for w in dict.fromkeys(plain) if w not in SMALL | STOPPED | NO_CONTENT and w not in scene.metric][:8]
    if not words:
        return _unknown(scene, question, why)
    hits = " + ".join(f"(r.description LIKE {quoted(f'%{word}%')})" for word in words)
    newest = f"r.campaign = {quoted(scene.campaign)} AND r.number BETWEEN {scene.last - _PASSAGE_RUNS} AND {scene.last}"
    sql = (
        f"SELECT r.number, r.id, r.description, {hits} AS hits FROM runs r WHERE {newest} AND hits >="
        f" {(len(words) + 1) // 2} ORDER BY hits DESC, r.number DESC LIMIT 3"
    )
    rows = scene.db.execute(sql).fetchall()
    quotes = [f'run {row[0]}: "{" ".join(row[2].split())[:160]}"' for row in rows]
    refs = [row[1] for row in rows]
    if scene.db.execute("SELECT EXISTS (SELECT 1 FROM documents)").fetchone()[0]:
        known = "SELECT e.id FROM documents d JOIN entries e ON e.seq = d.entry WHERE d.document = ? AND e.at < ?"
        for hit in Searcher(scene.db).search(" ".join(words), 3):
            held = sum(word in f"{hit.title} {hit.passage}".lower() for word in words)
            [ref] = scene.db.execute(known, (hit.source, scene.cut or "9999")).fetchone() or (None,)
            if ref is not None and 2 * held >= len(words):
                quotes.append(f'{hit.source}: "{" ".join(hit.passage.split())[:160]}"')
                refs.append(ref)
    if not quotes:
        return _unknown(scene, question, why)
    head = f"no answer ({why}); what reads most like the question, by its words alone:"
    return Answer(question, "passages", None, "\n".join([head, *quotes]), sql, tuple(refs), scene.last, "passages")


def _scene(db: sqlite3.Connection, campaign: str, as_of: str | int | None) -> Scene:
    terms = db.execute("SELECT metric, better FROM campaigns WHERE campaign = ?", (campaign,)).fetchone()
    if terms is None:
        raise UsageError(f"there is no campaign {campaign}", 'memex sql "select campaign from campaigns"')
    [last] = db.execute("SELECT max(number) FROM runs WHERE campaign = ?", (campaign,)).fetchone()
    last, cut, text = last or 0, None, str(as_of or "").strip()
    if text.isdecimal() and len(text) < 10:
        last = min(last, int(text))
        later = "SELECT at FROM runs WHERE campaign = ? AND number > ? ORDER BY number LIMIT 1"
        [cut] = db.execute(later, (campaign, last)).fetchone() or (None,)
    elif as_of is not None:
        cut = text
        [found] = db.execute("SELECT max(number) FROM runs WHERE campaign = ? AND at < ?", (campaign, cut)).fetchone()
        last = found or 0
    return Scene(db, campaign, terms[0], terms[1] != "higher", last, cut)


def _status(scene: Scene) -> str:
    """The status of a run, by the verdicts that were known; SQL."""
    if scene.cut is None:
        return "r.status"
    cases = " ".join(f"WHEN '{decision}' THEN '{status}'" for decision, status in STATUS_OF_DECISION.items())
    body = "(SELECT json_extract(b.body, '$.status') FROM entries b WHERE b.seq = r.run)"
    return (
        f"iif(r.verdict = '', r.status, coalesce((SELECT CASE v.decision {cases} END FROM verdicts v JOIN entries e ON"
        f" e.seq = v.seq WHERE v.run = r.run AND e.at < {quoted(scene.cut)} AND NOT EXISTS (SELECT 1 FROM refs x JOIN"
        " entries y ON y.seq = x.seq WHERE x.target = e.id AND x.role IN ('retracts', 'supersedes') AND y.at <"
        f" {quoted(scene.cut)}) ORDER BY v.decision = 'retract' DESC, e.at DESC, e.id DESC LIMIT 1), {body}))"
    )


def _held(scene: Scene, condition: Condition, walk: bool) -> str:
    """The run was measured under this setting, as recorded or as typed changes of champions up to it say; SQL.

    `walk` is for runs that are looked at one by one until one fits; else all runs with the setting are found first.
    """
    knob, sign, value = quoted(condition.knob), condition.sign, condition.value
    if condition.knob.startswith("metric "):
        name = condition.knob.removeprefix("metric ")
        if name == scene.metric:
            return f"r.value {sign} {value!r} AND {_status(scene)} NOT IN ({_FAILED})"
        return f"r.run IN (SELECT m.run FROM metrics m WHERE m.name = {quoted(name)} AND m.value {sign} {value!r})"
    if _has_settings(scene, condition.knob):
        rows = f"FROM settings s WHERE s.knob = {knob} AND {compared('s', sign, value)}"
        return f"EXISTS (SELECT 1 {rows} AND s.run = r.run)" if walk else f"r.run IN (SELECT s.run {rows})"
    then = _replayed(scene, condition.knob)
    if isinstance(value, str):
        return f"{then} {sign} {quoted(value)} COLLATE NOCASE"
    near = f"abs(CAST({then} AS REAL) - {value!r}) <= 1e-9" if sign == "=" else f"CAST({then} AS REAL) {sign} {value!r}"
    return f"({near}{_written(condition)})"


def _replayed(scene: Scene, knob: str) -> str:
    """What is known of a setting at run `r` of a log without settings, else NULL; SQL."""
    name, campaign = quoted(knob), quoted(scene.campaign)
    of_champions = (
        f"FROM champions k JOIN changes c USING (run) WHERE k.campaign = {campaign} AND c.knob = {name} AND k.since"
    )
    return (
        f"coalesce((SELECT c.new FROM changes c WHERE c.run = r.run AND c.knob = {name} AND c.new IS NOT NULL LIMIT 1),"
        f" (SELECT c.new {of_champions} < r.number ORDER BY k.since DESC LIMIT 1),"
        f" (SELECT c.old {of_champions} > r.number AND k.since <= {scene.last} ORDER BY k.since LIMIT 1))"
    )


def _where(scene: Scene, q: Question, *, changed: bool = True, combined: bool = False) -> str:
    """What the question says of a run `r`; SQL."""
    first, last = q.window.first or 1, scene.last if q.window.last is None else min(scene.last, q.window.last)
    # Without anchors a best is found by a walk in the order of values, runs with a setting by that setting: the plus
    # keeps the planner off the numbers.
    walk = q.kind in ("best", "worst", "first", "setting", "helped", "changed")
    free = "+" if q.window == ANYTIME and (walk or q.knobs or q.conditions) else ""
    parts = [f"r.campaign = {quoted(scene.campaign)}", f"{free}r.number BETWEEN {first} AND {last}", _OWN]
    parts += [f"r.at < {quoted(q.window.before)}"] if q.window.before else []
    parts += [f"r.at >= {quoted(q.window.since)}"] if q.window.since else []
    parts += [_held(scene, condition, walk) for condition in q.conditions]
    for family in q.knobs if changed else ():
        rows = f"FROM changes c WHERE c.knob IN ({_list(family)})"
        moved = f"EXISTS (SELECT 1 {rows} AND c.run = r.run)" if walk else f"r.run IN (SELECT c.run {rows})"
        stem = family[0].partition("_")[0]
        if combined and q.kind == "tried" and any(map(str.isdigit, stem)):
            # Combinations are written short: "best (x0+lr+rope)".
            moved = f"({moved} OR instr(lower(r.description), {quoted(stem)}))"
        parts.append(moved)
    if q.words:
        parts.append(in_words(q.words))
    if q.status:
        wanted = _FAILED if q.status == "failed" else "'crash'" if q.status == "crash" else quoted(q.status)
        parts.append(f"{_status(scene)} IN ({wanted})")
    return " AND ".join(parts)


def _written(condition: Condition) -> str:
    """Or the description has the knob and the value side by side: "RoPE 50K", "rope50k"; SQL."""
    value = condition.value
    if condition.sign != "=" or not isinstance(value, float):
        return ""
    values = [f"{value:g}" if value < 1e6 else f"{value:.0f}", *([f"{value / 1000:g}k"] if value >= 1000 else [])]
    names = {p for p, name in SHIPPED.phrases.items() if name == condition.knob} | {(condition.knob.partition("_")[0],)}
    forms = sorted({"".join(p).replace("_", "") + number for p in names if len("".join(p)) > 3 for number in values})
    shown = "replace(replace(replace(lower(r.description), ' ', ''), '_', ''), '=', '') || ' '"
    return "".join(f" OR {shown} GLOB {quoted(f'*{form}[^0-9.]*')}" for form in forms)


def _list(names: Sequence[str]) -> str:
    return ", ".join(quoted(name) for name in names)


def _rows(scene: Scene, q: Question, sql: str) -> tuple[str, list[Row]]:
    """The SQL as it is shown, with the anchors it rests on, and its rows."""
    shown = "".join(f"-- {why}\n" for why in q.window.why) + sql
    return shown, scene.db.execute(shown).fetchall()


def _made(scene: Scene, text: str, q: Question, value: Any, told: str, sql: str, refs: Sequence[str]) -> Answer:
    """What rests on changes that were read from descriptions may lack runs, and says so."""
    newest = "(SELECT run FROM runs WHERE campaign = ? ORDER BY number DESC LIMIT 1)"
    recorded = scene.db.execute(f"SELECT EXISTS(SELECT 1 FROM settings WHERE run = {newest})", (scene.campaign,))
    settings = [c for c in q.conditions if not c.knob.startswith("metric ")]
    read = q.kind not in ("setting", "value") and (q.knobs or settings) and not recorded.fetchone()[0]
    sure = "words" if q.words or read or any("LIKE" in why for why in q.window.why) else "exact"
    return Answer(text, q.kind, value, told, sql, tuple(dict.fromkeys(refs))[:_MOST_REFS], scene.last, sure)


def _line(row: Row) -> str:
    measured = "not measured" if row[3] is None else f"{row[3]:.6g}"
    return f"run {row[0]} ({row[2]}, {measured}): {' '.join(row[4].split())[:100]}"


def _extreme(scene: Scene, text: str, q: Question) -> Answer:
    metric, lower = q.metric or scene.metric, scene.lower if q.lowest is None else q.lowest
    if metric != scene.metric and q.lowest is None and q.kind not in ("mean", "first"):
        raise NotHere(f"whether a lower {metric} is better; ask for the lowest or the highest")
    ascending = lower != (q.kind == "worst" and q.lowest is None)
    value, joined = "r.value", ""
    if metric != scene.metric:
        value, joined = "m.value", f" JOIN metrics m ON m.run = r.run AND m.name = {quoted(metric)}"
    fits = f"{_where(scene, q)} AND {value} IS NOT NULL AND {_status(scene)} NOT IN ({_FAILED})"
    if q.kind == "mean":
        own = f"SELECT r.number, r.id, avg({value}) OVER () FROM runs r{joined} WHERE {fits}"
        sql, rows = _rows(scene, q, f"{own} ORDER BY r.number")
        if not rows:
            raise NotHere("no run was measured that fits")
        told = f"{metric} {rows[0][2]:.6g} in the mean of {len(rows)} runs"
        return _made(scene, text, q, rows[0][2], told, sql, [row[1] for row in rows])
    order = "r.number" if q.kind == "first" else f"{value} {'ASC' if ascending else 'DESC'}, r.number"
    # Found first by what the index holds, then shown: the runs before an anchor are read without their rows.
    found = f"SELECT r.run FROM runs r{joined} WHERE {fits} ORDER BY {order} LIMIT 1"
    shown = f"SELECT r.number, r.id, {_status(scene)} AS status, {value} AS value, r.description FROM runs r{joined}"
    sql, rows = _rows(scene, q, f"{shown} WHERE r.run = ({found})")
    if not rows:
        raise NotHere("no run was measured that fits")
    [row] = rows
    told = f"{metric} {row[3]:.6g}, {_line(row)}"
    return _made(scene, text, q, {"run": row[0], "value": row[3]}, told, sql, [row[1]])


def _runs(scene: Scene, text: str, q: Question) -> Answer:
    """tried, helped, hurt, changed and count: runs that fit, in order."""
    kept = {"helped": "= 'keep'", "changed": "= 'keep'", "hurt": "= 'discard'"}.get(q.kind)
    judged = f" AND {_status(scene)} {kept}" if kept else ""
    judged += " AND EXISTS (SELECT 1 FROM changes d WHERE d.run = r.run)" if kept and not q.knobs else ""
    asked = q
    if q.kind == "tried":  # asks for runs that went there; where settings are recorded, for all with it
        went = [c for c in q.conditions if not c.knob.startswith("metric ") and not _has_settings(scene, c.knob)]
        asked = replace(q, conditions=tuple(c for c in q.conditions if c not in went))
        for c in went:
            moved = f"c.knob = {quoted(c.knob)} AND {compared('c', c.sign, c.value)}"
            judged += f" AND (EXISTS (SELECT 1 FROM changes c WHERE c.run = r.run AND {moved}){_written(c)})"
    fits = _where(scene, asked, combined=len(q.knobs) + len(q.conditions) > 1) + judged
    own = f"SELECT r.number, r.id, {_status(scene)} AS status, r.value, r.description FROM runs r"
    sql, rows = _rows(scene, q, f"{own} WHERE {fits} ORDER BY +r.number")
    if not rows and q.kind == "tried" and not (q.status and (q.knobs or q.conditions)):
        raise NotHere("no run that fits")
    told = {"helped": "helped (kept)", "hurt": "did not help (thrown away)", "changed": "changed the champion (kept)"}
    head = f"{len(rows)} run{'s' * (len(rows) != 1)} {told.get(q.kind, 'fit' if q.kind == 'count' else 'tried it')}"
    lines = [head, *map(_line, rows[:_SHOWN]), *([f"... and {len(rows) - _SHOWN} more"] * (len(rows) > _SHOWN))]
    value = len(rows) if q.kind == "count" else [row[0] for row in rows]
    return _made(scene, text, q, value, "\n".join(lines), sql, [row[1] for row in rows])


def _has_settings(scene: Scene, knob: str) -> bool:
    sql = "SELECT 1 FROM settings s JOIN runs r USING (run) WHERE s.knob = ? AND r.campaign = ? LIMIT 1"
    return scene.db.execute(sql, (knob, scene.campaign)).fetchone() is not None


def _champion(scene: Scene, text: str, q: Question) -> Answer:
    """champion and gain: who reigned, or by how much a run beat the champion before it."""
    at = min(n for n in (scene.last, q.at, q.window.last) if n is not None)
    exact = f"= {q.at}" if q.kind == "gain" else f"<= {at}"
    own = f"SELECT r.number, r.id, {_status(scene)} AS status, k.value, r.description, k.gain FROM champions k"
    reign = f"k.campaign = {quoted(scene.campaign)} AND k.since {exact} ORDER BY k.since DESC LIMIT 1"
    sql, rows = _rows(scene, q, f"{own} JOIN runs r USING (run) WHERE {reign}")
    if scene.cut is not None:
        then = registry(scene.db, scene.campaign, at).reigns
        if [r.since for r in then if r.since == q.at or q.kind != "gain"][-1:] != [row[0] for row in rows]:
            raise NotHere(f"a later verdict changed who reigned; memex registry --as-of {at} shows what was known then")
    if not rows or (q.kind == "gain" and rows[0][5] is None):
        raise NotHere("no champion then" if q.kind == "champion" else f"run {q.at} beat no champion")
    value, told = (rows[0][5], f"by {rows[0][5]:.6g}, ") if q.kind == "gain" else (rows[0][0], "")
    return _made(scene, text, q, value, told + _line(rows[0]), sql, [rows[0][1]])


def _one_knob(q: Question) -> str:
    """The knob of that very name, where it is also what other names end in; NotHere where there are several."""
    names = q.knobs[0] if len(q.knobs) == 1 else tuple(name for family in q.knobs for name in family)
    if len(q.knobs) != 1 or not all(name.endswith(f"_{names[0]}") for name in names[1:]):
        raise NotHere(f"one knob is needed, not {', '.join(names)[:200]}")
    return names[0]


def _setting(scene: Scene, text: str, q: Question) -> Answer:
    """The best setting of a knob: that of the best run where settings are recorded, else the last that was kept."""
    knob = _one_knob(q)
    if _has_settings(scene, knob):
        then = f"(SELECT s.value FROM settings s WHERE s.run = r.run AND s.knob = {quoted(knob)})"
        order = f"r.value {'ASC' if scene.lower else 'DESC'}, r.number"
        fits = f"r.value IS NOT NULL AND {_status(scene)} NOT IN ({_FAILED}) AND {then} IS NOT NULL"
    else:
        then, order = _replayed(scene, knob), "r.number DESC"
        fits = "EXISTS (SELECT 1 FROM champions k WHERE k.run = r.run)"
    asked = _where(scene, q, changed=False)
    own = f"SELECT r.number, r.id, {_status(scene)} AS status, r.value, r.description"
    sql, rows = _rows(
        scene, q, f"{own}, {then} AS setting FROM runs r WHERE {asked} AND {fits} ORDER BY {order} LIMIT 1"
    )
    if rows and rows[0][5] is None:  # never changed by a champion: what every try started from
        old = f"{own}, c.old FROM runs r JOIN changes c USING (run) WHERE {asked} AND c.knob = {quoted(knob)}"
        sql, rows = _rows(scene, q, f"{old} AND c.old IS NOT NULL ORDER BY r.number DESC LIMIT 1")
    if not rows:
        raise NotHere(f"no value of {knob}")
    return _made(scene, text, q, _typed(rows[0][5]), f"{knob} = {rows[0][5]}, {_line(rows[0])}", sql, [rows[0][1]])


def _value(scene: Scene, text: str, q: Question) -> Answer:
    knob = _one_knob(q)
    then = f"(SELECT s.value FROM settings s WHERE s.run = r.run AND s.knob = {quoted(knob)})"
    then = then if _has_settings(scene, knob) else _replayed(scene, knob)
    run = f"r.campaign = {quoted(scene.campaign)} AND r.number = {q.at}"
    sql, rows = _rows(scene, q, f"SELECT r.number, r.id, {then} FROM runs r WHERE {run} ORDER BY r.id LIMIT 1")
    if not rows or rows[0][2] is None:
        raise NotHere(f"the value of {knob} at run {q.at}")
    return _made(scene, text, q, _typed(rows[0][2]), f"{knob} = {rows[0][2]} at run {q.at}", sql, [rows[0][1]])


def _typed(value: str) -> Any:
    try:
        return float(value)
    except ValueError:
        return value


def _run(scene: Scene, text: str, q: Question) -> Answer:
    value = "r.value"
    if q.metric not in ("", scene.metric):
        value = f"(SELECT m.value FROM metrics m WHERE m.run = r.run AND m.name = {quoted(q.metric)})"
    own = f"SELECT r.number, r.id, {_status(scene)} AS status, {value}, r.description, r.reason FROM runs r"
    sql, rows = _rows(scene, q, f"{own} WHERE r.campaign = {quoted(scene.campaign)} AND r.number = {q.at}")
    if not rows or (q.metric and rows[0][3] is None):
        raise NotHere(f"no measurement of run {q.at}")
    known = {"run": q.at, "value": rows[0][3]} if q.metric else rows[0][2]
    return _made(scene, text, q, known, _line(rows[0]), sql, [rows[0][1]])


def _compare(scene: Scene, text: str, q: Question) -> Answer:
    """common and differ: settings of two runs; of logs without settings, the knobs that both of them changed."""
    own = f"SELECT run FROM runs WHERE campaign = {quoted(scene.campaign)} AND number"
    sides = [f"({own} = {number} ORDER BY id LIMIT 1)" for number in q.runs]
    recorded = f"SELECT EXISTS(SELECT 1 FROM settings WHERE run IN ({', '.join(sides)}))"
    exact = scene.db.execute(recorded).fetchone()[0]
    told_by = "SELECT knob, value FROM settings" if exact else "SELECT DISTINCT knob, new FROM changes"
    one, two = (f"{name}(knob, value) AS ({told_by} WHERE run = {run})" for name, run in zip("ab", sides, strict=True))
    sql = f"WITH {one}, {two}"
    if q.kind == "common":
        sql += f" SELECT a.knob, a.value, b.value FROM a JOIN b USING (knob){' WHERE a.value IS b.value' * exact}"
    else:
        sql += (
            " SELECT a.knob, a.value, b.value FROM a LEFT JOIN b USING (knob) WHERE a.value IS NOT b.value"
            " UNION SELECT knob, NULL, value FROM b WHERE knob NOT IN (SELECT knob FROM a)"
        )
    sql, rows = _rows(scene, q, f"{sql} ORDER BY 1")
    refs = [row[0] for row in scene.db.execute(f"SELECT id FROM runs WHERE run IN ({', '.join(sides)})")]
    cells = [f"{row[0]} ({row[1]}{'' if row[1] == row[2] else f' and {row[2]}'})" for row in rows]
    told = f"runs {q.runs[0]} and {q.runs[1]}: {', '.join(cells) or 'nothing recorded'}"
    names = list(dict.fromkeys(row[0] for row in rows))
    return _made(scene, text, q, names, told, sql, refs)


def _unresolved(scene: Scene, text: str, q: Question) -> Answer:
    knobs = f" AND f.knob IN ({_list([n for names in q.knobs for n in names])})" if q.knobs else ""
    sql = (
        "SELECT f.knob, f.old, f.new, f.gain, f.runs_to_settle, f.runs FROM effects f WHERE f.campaign ="
        f" {quoted(scene.campaign)} AND f.status = 'unresolved'{knobs} ORDER BY abs(f.gain) DESC, f.knob, f.old, f.new"
    )
    if scene.cut is not None:
        sql = f"-- over the effects that runs 1 to {scene.last} give, folded again without what came later\n{sql}"
    with closing(_folded_then(scene)) if scene.cut is not None else nullcontext(scene.db) as db:
        rows = db.execute(sql).fetchall()
    numbers = ", ".join([str(n) for row in rows for n in json.loads(row[5])][:_MOST_REFS])
    refs = scene.db.execute(f"SELECT id FROM runs WHERE campaign = ? AND number IN ({numbers})", (scene.campaign,))
    changes = [f"{row[0]}: {row[1]} to {row[2]}" for row in rows]
    told = "\n".join([f"{len(rows)} changes are unresolved", *changes[:_SHOWN]])
    return _made(scene, text, q, changes, told, sql, [row[0] for row in refs])


def _folded_then(scene: Scene) -> sqlite3.Connection:
    """`effects` of what was known then, folded in memory; behind its tables stand those of today."""
    path = next(row[2] for row in scene.db.execute("PRAGMA database_list") if row[1] == "main")
    db = sqlite3.connect("file::memory:", uri=True)
    db.execute("ATTACH ? AS today", (f"{Path(path).as_uri()}?mode=ro",))
    landed = f"seq IN (SELECT seq FROM today.entries WHERE at < {quoted(scene.cut or '')})"
    own = f"campaign = {quoted(scene.campaign)} AND number <= {scene.last}"
    kept = {"runs": own, "verdicts": landed, "refs": landed, "champions": "0", "measurements": "0", "effects": "0"}
    for table, where in kept.items():
        db.execute(f"CREATE TABLE {table} AS SELECT * FROM today.{table} WHERE {where}")
    db.execute("CREATE INDEX runs_fresh ON runs(campaign, commit_id) WHERE role IN ('baseline', 'pair')")
    db.execute(f"UPDATE runs AS r SET status = {_status(scene)}")
    reigns = registry(scene.db, scene.campaign, scene.last).reigns
    rows = [(scene.campaign, r.run, r.since, r.until, r.value, r.gain) for r in reigns]
    db.executemany("INSERT INTO champions VALUES (?, ?, ?, ?, ?, ?)", rows)
    CampaignEffects(db, scene.campaign).settle_all()
    return db


_KINDS: dict[str, Callable[[Scene, str, Question], Answer]] = {
    "best": _extreme, "worst": _extreme, "first": _extreme, "mean": _extreme, "gain": _champion,
    "helped": _runs, "hurt": _runs, "tried": _runs, "changed": _runs,
    "count": _runs, "champion": _champion, "setting": _setting, "value": _value, "run": _run, "common": _compare,
    "differ": _compare, "unresolved": _unresolved,
}  # fmt: skip
