"""From a typed question to SQL over the documented tables, and from its rows to an answer with evidence.

Every number comes from the SQL that is shown. What the memory does not hold has the answer "not in this memory".
"""

from __future__ import annotations

import json
import math
import re
import sqlite3
import statistics
from collections import Counter
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..changes.names import SHIPPED, Aliases
from ..effects.estimates import CampaignEffects
from ..effects.noise import fresh_values, minimum_detectable_effect, noise_floor
from ..registry import registry
from ..search.base_level import base_levels
from ..search.retrieval import STOPPED, Searcher
from .context import (
    FAILED_LIST,
    MOST_REFS,
    OWN,
    Answer,
    Row,
    Scene,
    line,
    line_and_why,
    listed,
    scene_of,
    typed,
    written,
)
from .grammar import MOST_CHARS, NO_CONTENT, Question, mended, read_question
from .moments import ANYTIME, DIRECTIONS, Impossible, NotHere, Window, compared, quoted
from .run_answers import champion, compare, margin, moved, run, settings_of, value_at, when, why
from .vocabulary import BETTER, NARROWING, OWN_MEASURES, SMALL, text_columns

__all__ = ["Answer", "ask"]

_SHOWN = 12
_PASSAGE_RUNS = 10_000


def ask(
    db: sqlite3.Connection, campaign: str, question: str, as_of: str | int | None = None, aliases: Aliases = SHIPPED
) -> Answer:
    """The answer to a question about one campaign, when only the runs up to `as_of` (a number or a date) were known.

    Raises UsageError for a campaign that nobody defined; never for a question.
    """
    scene = scene_of(db, campaign, as_of, question, aliases)
    try:
        return _answered(scene)
    except NotHere as why:
        slips = mended(scene.names, question)
        again = re.sub(r"[A-Za-z]+", lambda word: slips.get(word[0].lower(), word[0]), question[:MOST_CHARS])
        if slips:
            try:
                told = _answered(replace(scene, question=again))
                read = ", ".join(f"{wrong!r} as {right!r}" for wrong, right in sorted(slips.items()))
                return replace(told, question=question, text=f"{told.text}\n(read {read})")
            except NotHere:
                pass  # the words as they were typed say better what is not known
        near = _nearest(scene, why)
        return _unknown(scene, near) if isinstance(why, Impossible) else _passages(scene, near)


def _answered(scene: Scene) -> Answer:
    asked = read_question(scene.names, scene.question, scene.last)
    return _KINDS[asked.kind](scene, asked)


def _nearest(scene: Scene, why: NotHere) -> NotHere:
    """With the question that is left without the words that were not understood, where it is one that has an answer."""
    words = {part for word in why.words for part in word.split()}
    kept = [w for w in scene.question[:MOST_CHARS].split() if not words & set(re.findall(r"\w+", w.lower()))]
    try:
        if words and NARROWING.isdisjoint(words):
            _answered(replace(scene, question=" ".join(kept)))
            return NotHere(f'{why}; without it: memex ask "{re.sub("[^ -!#-~]", "", " ".join(kept))}"')
    except NotHere:
        pass  # nor is that one, and the words alone are told
    return why


def _unknown(scene: Scene, why: NotHere) -> Answer:
    return Answer(scene.question, "unknown", None, f"not in this memory: {why}", "", (), scene.last, "none")


def _passages(scene: Scene, why: NotHere) -> Answer:
    """The descriptions and documents that hold most words of a question that was not understood, quoted as such."""
    plain = re.findall(r"[^\W_]{3,}", scene.question[:MOST_CHARS].lower())
    words = [w for w in dict.fromkeys(plain) if w not in SMALL | STOPPED | NO_CONTENT and w not in scene.metric][:8]
    if not words:
        return _unknown(scene, why)
    hits = " + ".join(f"(r.description LIKE {quoted(f'%{word}%')})" for word in words)
    newest = f"r.campaign = {scene.name} AND r.number BETWEEN {scene.last - _PASSAGE_RUNS} AND {scene.last}"
    sql = f"SELECT r.number, r.id, r.description, {hits} AS hits, r.run FROM runs r WHERE {newest} AND hits >="
    sql += f" {(len(words) + 1) // 2} ORDER BY hits DESC, r.number DESC LIMIT 20"
    rows = scene.db.execute(sql).fetchall()
    if scene.cut is None:  # of the past, what points to a run today says nothing
        levels = base_levels(scene.db, [row[4] for row in rows])
        rows.sort(key=lambda row: (-row[3], -levels[row[4]]))
    rows = rows[:3]
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
        return _unknown(scene, why)
    head = f"no answer ({why}); what reads most like the question, by its words alone:"
    told = "\n".join([head, *quotes])
    return Answer(scene.question, "passages", None, told, sql, tuple(refs), scene.last, "passages")


def _repeated(scene: Scene, row: Row) -> str:
    """What a value that was picked for being the best is worth: that of its repeats, where there are any."""
    [count, mean] = scene.db.execute(
        "SELECT count(*), avg(f.value) FROM runs r JOIN runs f ON f.campaign = r.campaign AND f.commit_id = r.commit_id"
        " AND f.commit_id <> '' AND f.role IN ('baseline', 'pair', 'control')"
        " AND f.role <> 'control' AND f.value IS NOT NULL WHERE r.id = ?",
        (row[1],),
    ).fetchone()
    once = "; measured once and picked for being the best, so expect less"
    return f"; its {count} fresh run{'s' * (count != 1)} gave {mean:.6g} in the mean" if count else once


def _extreme(scene: Scene, q: Question) -> Answer:
    """best, worst, first and last: one run, the one that comes after so many better ones, or several in order."""
    metric, lower = q.metric or scene.metric, scene.lower if q.lowest is None else q.lowest
    by_value = q.kind in ("best", "worst")
    if metric != scene.metric and q.lowest is None and by_value:
        ways = [way for way, names in BETTER.items() if re.search(names, metric.lower())]
        lower = ways == ["lower"]
        if len(ways) == 1:
            return _extreme(scene, replace(q, kind="best", lowest=lower == (q.kind == "best")))
        raise NotHere(f"whether a lower {metric} is better; ask for the lowest or the highest")
    scene.no_later_reign(q)
    value, fits = scene.measured(q.metric), scene.fitting(q)
    if by_value or any(c.knob.startswith("metric ") for c in q.conditions):
        fits += f" AND {value} IS NOT NULL AND {scene.status} NOT IN ({FAILED_LIST})"
    ascending = lower != (q.kind == "worst" and q.lowest is None) if by_value else q.kind == "first"
    order = f"{value if by_value else 'r.number'} {'ASC' if ascending else 'DESC'}, r.number"
    # Found first by what the index holds, then shown: the runs before an anchor are read without their rows.
    part = f"LIMIT {q.most or 1}{f' OFFSET {q.skip}' if q.skip else ''}"
    found = f"SELECT r.run FROM runs r WHERE {fits} ORDER BY {order} {part}"
    if scene.cut is None and lower == scene.lower and metric == scene.metric and _only_before(q):
        own = f"k.campaign = {scene.name} AND k.number <= {min(scene.last, q.window.last or 0)}"
        found = f"SELECT k.run FROM records k WHERE {own} ORDER BY k.number DESC LIMIT 1"
    sql, rows = scene.rows(q, f"{scene.shown(value)} r.run {'IN' if q.most else '='} ({found}) ORDER BY {order}")
    if not rows:
        raise NotHere("no run was measured that fits")
    if q.most:
        rows = rows if by_value else sorted(rows)
        return scene.answer(q, [r[0] for r in rows], "\n".join(map(line, rows)), sql, [r[1] for r in rows])
    [row] = rows
    told = f"{metric} {row[3]:.6g}, {line(row)}" if row[3] is not None else line(row)
    told += _repeated(scene, row) if q.kind == "best" and not q.skip else ""
    if q == Question("best", metric=q.metric, lowest=q.lowest) and metric == scene.metric and scene.cut is None:
        reigns = "r.number FROM champions k JOIN runs r USING (run) WHERE k.campaign = ?1 AND k.until IS NULL"
        champion = scene.names.one(reigns)
        told += f"; the champion is run {champion}" if champion not in (None, row[0]) else ""
    body = "body FROM entries WHERE id = ?2 AND (SELECT origin FROM campaigns WHERE campaign = ?1) = 'import'"
    labels = text_columns(scene.names.one(body, row[1]))
    told += "".join(f"; {column} {value}" for column, value in labels.items() if value not in row[4])
    return scene.answer(q, {"run": row[0], "value": row[3]}, told, sql, [row[1]])


def _only_before(q: Question) -> bool:
    """Whether the best of all runs up to one is asked for, and nothing else is said of it."""
    return q.window.last is not None and q == Question(
        "best", Window(last=q.window.last, why=q.window.why), metric=q.metric, lowest=q.lowest
    )


def _folded(scene: Scene, q: Question) -> Answer:
    """mean, median and total of what runs were measured on."""
    metric, value = q.metric or scene.metric, scene.measured(q.metric)
    fits = f"{scene.fitting(q)} AND {value} IS NOT NULL"
    if metric not in OWN_MEASURES:  # what failed took its time, and measured nothing
        fits += f" AND {scene.status} NOT IN ({FAILED_LIST})"
    sql, rows = scene.rows(q, f"SELECT r.number, r.id, {value} AS value FROM runs r WHERE {fits} ORDER BY r.number")
    if not rows:
        raise NotHere("no run was measured that fits")
    values = [float(row[2]) for row in rows]
    known = math.fsum(values) if q.kind == "total" else float(getattr(statistics, q.kind)(values))
    told = f"{metric} {known:.6g}, the {q.kind} of {len(rows)} runs"
    return scene.answer(q, known, told, sql, [row[1] for row in rows])


def _fraction(scene: Scene, q: Question) -> Answer:
    some, everyone = scene.fitting(q), scene.fitting(replace(q, status="", decision=""))
    sql, [row] = scene.rows(q, f"SELECT count(*) FILTER (WHERE {some}), count(*) FROM runs r WHERE {everyone}")
    if not row[1]:
        raise NotHere("no runs then")
    told = f"{row[0] / row[1]:.1%}: {row[0]} of {row[1]} runs"
    return scene.answer(q, row[0] / row[1], told, sql, [])


def _runs(scene: Scene, q: Question) -> Answer:
    """tried, helped, hurt, changed, champions and count: runs that fit, in order."""
    scene.no_later_reign(q)
    kept = {"helped": "= 'keep'", "changed": "= 'keep'", "hurt": "= 'discard'"}.get(q.kind)
    judged = f" AND {scene.status} {kept}" if kept else ""
    judged += " AND r.role = 'candidate'" if kept else ""
    asked = q
    if q.kind == "tried":  # asks for runs that went there; where settings are recorded, for all with it
        went = [c for c in q.conditions if c.of_setting and c.old is None and not scene.has_settings(c.knob)]
        asked = replace(q, conditions=tuple(c for c in q.conditions if c not in went))
        for c in went:
            moved = f"c.knob = {quoted(c.knob)} AND {compared('c', c.sign, c.value)}"
            judged += f" AND (EXISTS (SELECT 1 FROM changes c WHERE c.run = r.run AND {moved}){written(c)})"
    fits = scene.fitting(asked, combined=len(q.knobs) + len(q.conditions) > 1) + judged
    sql, rows = scene.rows(q, f"{scene.shown(scene.measured(q.metric))} {fits} ORDER BY +r.number")
    any_judged = "1 FROM runs WHERE campaign = ?1 AND status IN ('keep', 'discard') LIMIT 1"
    if not rows and q.kind in ("helped", "hurt") and not scene.names.one(any_judged):
        raise NotHere("nobody judged these runs")
    of_what = q.knobs or q.words or any(c.of_setting for c in q.conditions)
    # That none was kept is an answer only where there were some at all.
    at_all = scene.fitting(replace(asked, status="", decision="", window=ANYTIME, kind="tried"))
    ways = [c for c in q.conditions if c.sign in DIRECTIONS]
    if not rows and q.kind == "tried" and len(ways) == 1 and ways == list(q.conditions):
        [way] = ways
        if q.words:
            found = _runs(scene, replace(q, words=()))
            words = " or ".join(map(repr, q.words))
            return replace(found, text=f"no such run says {words}; without that, {found.text}")
        other = replace(q, conditions=(), knobs=((way.knob,),), named=(way.knob,))
        _, moves = scene.rows(other, f"{scene.shown()} {scene.fitting(other)} ORDER BY +r.number")
        if moves:
            told = f"no run is known that moved {way.knob} {way.sign}; {len(moves)} changed it otherwise"
            return scene.answer(q, [], "\n".join([told, *map(line, moves[:_SHOWN])]), sql, [row[1] for row in moves])
    if not rows and ((q.kind == "tried" and not q.status) or (
        of_what and q.kind != "changed" and not scene.names.one(f"1 FROM runs r WHERE r.campaign = ?1 AND {at_all}"))
    ):  # fmt: skip
        raise NotHere("no run that fits")
    if not rows and of_what and q.status == "failed":
        raise NotHere("none crashed or timed out; ask what was discarded")
    if q.metric and q.kind == "tried":
        if len(rows) != 1 or rows[0][3] is None:
            raise NotHere(f"the {q.metric} of {len(rows)} runs; ask for the best, the worst or the average")
        told = f"{q.metric} {rows[0][3]:.6g}, {line(rows[0])}"
        return scene.answer(q, {"run": rows[0][0], "value": rows[0][3]}, told, sql, [rows[0][1]])
    fit = "tried it" if q.kind == "tried" and of_what else "fit"
    done = {"helped": "helped (kept)", "hurt": "did not help (thrown away)", "changed": "changed the champion (kept)"}
    head = f"{len(rows)} run{'s' * (len(rows) != 1)} {done.get(q.kind, fit)}"
    lines, first = _by_gain(scene, q.kind == "hurt", rows) if kept and q.kind != "changed" else ([], [])
    if lines:
        lines[0] = f"{head}; {lines[0]}"
    else:
        lines = [head, *map(line_and_why if q.status or q.decision else line, rows[:_SHOWN])]
        lines += [f"... and {len(rows) - _SHOWN} more"] * (len(rows) > _SHOWN)
    if q.kind in ("helped", "hurt") and scene.cut is None:
        listing = {row[0] for row in rows}  # as a set, because SQL reads a list of 20,000 numbers for each effect
        every = scene.db.execute("SELECT status, runs FROM effects WHERE campaign = ?", (scene.campaign,))
        said = Counter(status for status, runs in every if not listing.isdisjoint(json.loads(runs)))
        counts = ", ".join(f"{n} {status}" for status, n in sorted(said.items(), key=lambda one: (-one[1], one[0])))
        lines += [f"what all runs together say of these changes (memex effects): {counts}"] if said else []
    value = len(rows) if q.kind == "count" else [row[0] for row in rows]
    return scene.answer(q, value, "\n".join(lines), sql, [row[1] for row in (*first, *rows)])


def _by_gain(scene: Scene, worst: bool, rows: list[Row]) -> tuple[list[str], list[Row]]:
    """What runs gained, as their measurements say it, the most first, or the worst, and these runs; what may be noise,
    and what went the other way, is counted apart. Nothing of the past, and where none was measured against another."""
    if scene.cut is not None:
        return [], []
    own = "measurements m JOIN runs r USING (run) WHERE m.campaign = ? GROUP BY m.run"
    gains = dict(scene.db.execute(f"SELECT r.number, max(m.gain) FROM {own}", (scene.campaign,)).fetchall())
    seeds = f"{own} HAVING min(lower(m.knob) GLOB '*seed')"
    shifts = [abs(gain) for _, gain in scene.db.execute(f"SELECT 1, max(m.gain) FROM {seeds}", (scene.campaign,))]
    noise = noise_floor(scene.db, scene.campaign)
    least, why = (noise.sigma, "one sigma") if noise.known else (max(shifts, default=0.0), "what a new seed alone did")
    sign = -1 if worst else 1
    known = sorted(((sign * gains[row[0]], row) for row in rows if row[0] in gains), key=lambda one: -one[0])
    told = [(size, row) for size, row in known if size > least]
    if not known:
        return [], []
    what = ("lost", "worst", "better", "thrown away") if worst else ("gained", "best", "worse", "kept")
    beyond = f"{why}, {least:.3g}" if least else "nothing"
    lines = [f"{len(told)} of them {what[0]} more than {beyond}, the {what[1]} first"]
    lines += [f"{sign * size:+.3g} {line(row)}" for size, row in told[:_SHOWN]]
    lines += [f"... and {len(told) - _SHOWN} more"] * (len(told) > _SHOWN)
    other, small = sum(size < 0 for size, _ in known), sum(0 <= size <= least for size, _ in known)
    lines += [f"{small} {what[0]} less than that, which may be noise"] * bool(small)
    lines += [f"{other} measured {what[2]}, and were {what[3]} all the same"] * bool(other)
    lines += [f"{len(rows) - len(known)} have nothing to be compared with"] * (len(known) < len(rows))
    return lines, [row for _, row in told[:_SHOWN]]


def _setting(scene: Scene, q: Question) -> Answer:
    """The best setting of a knob: that of the best run where settings are recorded, else the last that was kept."""
    knob = q.one_knob
    if scene.has_settings(knob):
        then = f"(SELECT s.value FROM settings s WHERE s.run = r.run AND s.knob = {quoted(knob)})"
        # A lucky value that was measured again counts as that says, and a run that lost is not the best of anything.
        mean = "SELECT avg(f.value) FROM runs f WHERE f.campaign = r.campaign AND f.commit_id = nullif(r.commit_id, '')"
        mean += " AND f.role IN ('baseline', 'pair', 'control') AND f.value IS NOT NULL AND f.status <> 'invalid'"
        level = f"coalesce(({mean} AND f.number <= {scene.last}), r.value)"
        order = f"{scene.status} = 'discard', {level} {'ASC' if scene.lower else 'DESC'}, r.number"
        fits = f"r.value IS NOT NULL AND {scene.status} NOT IN ({FAILED_LIST}) AND {then} IS NOT NULL"
    else:
        then, order = scene.replayed(knob), "r.number DESC"
        fits = "EXISTS (SELECT 1 FROM champions k WHERE k.run = r.run)"
    asked = scene.fitting(q, changed=False)
    own = f"SELECT r.number, r.id, {scene.status} AS status, r.value, r.description"
    sql, rows = scene.rows(q, f"{own}, {then} AS setting FROM runs r WHERE {asked} AND {fits} ORDER BY {order} LIMIT 1")
    if rows and rows[0][5] is None:  # never changed by a champion: what every try started from
        old = f"{own}, c.old FROM runs r JOIN changes c USING (run) WHERE {asked} AND c.knob = {quoted(knob)}"
        sql, rows = scene.rows(q, f"{old} AND c.old IS NOT NULL ORDER BY r.number DESC LIMIT 1")
    if not rows:
        raise NotHere(f"no value of {knob}")
    told = f"{knob} = {rows[0][5]}, {line(rows[0])}" + (_repeated(scene, rows[0]) if scene.has_settings(knob) else "")
    return scene.answer(q, typed(rows[0][5]), told, sql, [rows[0][1]])


def _of_best(scene: Scene, q: Question) -> Answer:
    """What the best run was measured on, or its settings."""
    at = _extreme(scene, replace(q, kind="best", metric="")).value["run"]
    return (settings_of if q.kind == "settings_of_best" else run)(scene, replace(q, kind="run", at=at))


def _span(scene: Scene, q: Question) -> Answer:
    scene.own_clock()
    own = f"e.kind = 'run' AND e.subject GLOB {quoted(f'run:{scene.campaign}/*')}"
    first = f"SELECT min(e.at) FROM entries e WHERE {own}"
    known = f" AND r.at < {quoted(scene.cut)}" if scene.cut else ""
    spent = f"(julianday(max(r.at)) - julianday(({first}))) * 86400"
    sql, [row] = scene.rows(q, f"SELECT {spent}, count(*), sum(r.seconds) FROM runs r WHERE r.campaign ="
        f" {scene.name}{known}"
    )  # fmt: skip
    if row[0] is None:
        raise NotHere("no runs")
    told = f"{row[0]:.0f} seconds ({row[0] / 3600:.1f} hours) from the first run to the last"
    told += f"; {row[1]} runs took {row[2]:.0f} seconds in sum" if row[2] else ""
    return scene.answer(q, round(row[0], 3), told, sql, [])


def _noise(scene: Scene, q: Question) -> Answer:
    noise = noise_floor(scene.db, scene.campaign, scene.last + 1)
    if not noise.known:
        raise Impossible(f"nothing was measured often enough for the noise of {scene.metric}")
    repeated = f"r.campaign = {scene.name} AND r.number <= {scene.last} AND r.role IN ('baseline', 'pair')"
    own = "SELECT r.number, r.id, r.commit_id, r.seed, r.value FROM runs r"
    sql, rows = scene.rows(q, f"{own} WHERE {repeated} AND r.value IS NOT NULL ORDER BY r.number")
    one = minimum_detectable_effect(noise, 1)
    told = f"{scene.metric}: {noise}; one pair shows an effect of {one:.2g} 8 times in 10"
    return scene.answer(q, noise.sigma, told, sql, [row[1] for row in rows])


def _progress(scene: Scene, q: Question) -> Answer:
    """From the champion of the start of the window to that of its end."""
    scene.no_later_reign(replace(q, reigned="champion"))
    first, last = q.window.first or 1, scene.last if q.window.last is None else min(scene.last, q.window.last)
    if q.window.before or q.window.since:
        raise NotHere("name the moment by a run")
    own = f"FROM champions k JOIN runs r USING (run) WHERE k.campaign = {scene.name} AND k.since <="
    start = f"coalesce((SELECT k.since {own} {first} ORDER BY k.since DESC LIMIT 1), 0)"
    shown = "SELECT k.since, r.id, k.value, k.gain, r.commit_id, r.number"
    sql, rows = scene.rows(q, f"{shown} {own} {last} AND k.since >= {start} ORDER BY k.since")
    if not rows:
        raise NotHere("no champion then")
    fresh = fresh_values(scene.db, scene.campaign, scene.last + 1)
    before, after = (statistics.fmean(fresh.get(row[4]) or [row[2]]) for row in (rows[0], rows[-1]))
    gain = (before - after) * (1 if scene.lower else -1)
    if len(rows) == 2 and rows[1][3] is not None:  # one step: what it was confirmed with, as the report says it
        gain = rows[1][3]
    told = f"{gain:.6g} better: {scene.metric} {before:.6g} (run {rows[0][5]})"
    told += f" to {after:.6g} (run {rows[-1][5]})"
    return scene.answer(q, gain, told, sql, [row[1] for row in (rows[0], rows[-1])])


def _gains(scene: Scene, q: Question) -> Answer:
    """The champions that gained most over the champion before them."""
    scene.no_later_reign(replace(q, reigned="champion"))
    own = f"SELECT r.number, r.id, {scene.status} AS status, k.gain, r.description FROM runs r"
    fits = f"{scene.fitting(q)} AND k.gain IS NOT NULL ORDER BY k.gain DESC, r.number LIMIT {q.most}"
    sql, rows = scene.rows(q, f"{own} JOIN champions k USING (run) WHERE {fits}")
    if not rows:
        raise NotHere("no champion gained anything then")
    lines = [f"by {r[3]:.6g}, run {r[0]} ({r[2]}): {' '.join(r[4].split())[:100]}" for r in rows]
    value = {"run": rows[0][0], "value": rows[0][3]} if q.most == 1 else [r[0] for r in rows]
    return scene.answer(q, value, "\n".join(lines), sql, [r[1] for r in rows])


def _who(scene: Scene, q: Question) -> Answer:
    """Who ran most: by who recorded the runs, or by the word before the colon that descriptions begin with."""
    own = f"FROM runs r WHERE r.campaign = {scene.name} AND {OWN} AND r.number <= {scene.last}"
    sql, rows = scene.rows(q, f"SELECT r.by, count(*) {own} GROUP BY r.by ORDER BY 2 DESC, 1")
    if len(rows) == 1:
        named = "substr(r.description, 1, instr(r.description, ':') - 1)"
        is_name = f"{named} <> '' AND {named} NOT GLOB '*[^A-Za-z0-9_-]*'"
        sql, rows = scene.rows(q, f"SELECT {named}, count(*) {own} AND {is_name} GROUP BY 1 ORDER BY 2 DESC, 1")
        if len(rows) < 2 or sum(row[1] for row in rows) < scene.last / 2:
            raise Impossible("all runs were recorded under one name")
    return scene.answer(q, rows[0][0], "\n".join(f"{row[0]}: {row[1]} runs" for row in rows[:_SHOWN]), sql, [])


def _values(scene: Scene, q: Question) -> Answer:
    """values and reach: what a setting was set to, all of it, or the least or the most."""
    knob = q.one_knob
    if not scene.has_settings(knob):
        raise NotHere(f"settings are not recorded here: what {knob} was set to stands in descriptions")
    own = f"FROM runs r JOIN settings s USING (run) WHERE {scene.fitting(q, changed=False)} AND s.knob = {quoted(knob)}"
    sql, rows = scene.rows(q, f"SELECT s.value, min(r.number), min(r.id) {own} GROUP BY 1 ORDER BY s.number, 1")
    values = [typed(row[0]) for row in rows if row[0] is not None]
    if q.kind == "reach":
        values = [v for v in values if isinstance(v, float)]
        values = values and [min(values) if q.lowest else max(values)]
    if not values:
        raise NotHere(f"no value of {knob}")
    told = f"{knob}: {', '.join(map(_plainly, values[:50]))}"
    return scene.answer(q, values if q.kind == "values" else values[0], told, sql, [row[2] for row in rows])


def _plainly(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _unresolved(scene: Scene, q: Question) -> Answer:
    knobs = f" AND f.knob IN ({listed([n for names in q.knobs for n in names])})" if q.knobs else ""
    sql = (
        "SELECT f.knob, f.old, f.new, f.gain, f.runs_to_settle, f.runs FROM effects f WHERE f.campaign ="
        f" {scene.name} AND f.status = 'unresolved'{knobs} ORDER BY abs(f.gain) DESC, f.knob, f.old, f.new"
    )
    if scene.cut is not None:
        sql = f"-- over the effects that runs 1 to {scene.last} give, folded again without what came later\n{sql}"
    with closing(_folded_then(scene)) if scene.cut is not None else nullcontext(scene.db) as db:
        rows = db.execute(sql).fetchall()
    numbers = ", ".join([str(n) for row in rows for n in json.loads(row[5])][:MOST_REFS])
    refs = scene.db.execute(f"SELECT id FROM runs WHERE campaign = ? AND number IN ({numbers})", (scene.campaign,))
    changes = [f"{row[0]}: {row[1]} to {row[2]}" for row in rows]
    told = "\n".join([f"{len(rows)} changes are unresolved", *changes[:_SHOWN]])
    return scene.answer(q, changes, told, sql, [row[0] for row in refs])


def _folded_then(scene: Scene) -> sqlite3.Connection:
    """`effects` of what was known then, folded in memory; behind its tables stand those of today."""
    path = next(row[2] for row in scene.db.execute("PRAGMA database_list") if row[1] == "main")
    db = sqlite3.connect("file::memory:", uri=True)
    db.execute("ATTACH ? AS today", (f"{Path(path).as_uri()}?mode=ro",))
    landed = f"seq IN (SELECT seq FROM today.entries WHERE at < {quoted(scene.cut or '')})"
    own = f"campaign = {scene.name} AND number <= {scene.last}"
    kept = {"runs": own, "verdicts": landed, "refs": landed, "champions": "0", "measurements": "0", "effects": "0"}
    for table, where in kept.items():
        db.execute(f"CREATE TABLE {table} AS SELECT * FROM today.{table} WHERE {where}")
    db.execute("CREATE INDEX runs_fresh ON runs(campaign, commit_id) WHERE role IN ('baseline', 'pair', 'control')")
    db.execute(f"UPDATE runs AS r SET status = {scene.status}")
    reigns = registry(scene.db, scene.campaign, scene.last).reigns
    rows = [(scene.campaign, r.run, r.since, r.until, r.value, r.gain) for r in reigns]
    db.executemany("INSERT INTO champions VALUES (?, ?, ?, ?, ?, ?)", rows)
    CampaignEffects(db, scene.campaign).settle_all()
    return db


_KINDS: dict[str, Callable[[Scene, Question], Answer]] = {
    "best": _extreme, "worst": _extreme, "first": _extreme, "last": _extreme, "of_best": _of_best,
    "mean": _folded, "median": _folded, "total": _folded, "fraction": _fraction, "gain": champion, "gains": _gains,
    "progress": _progress, "helped": _runs, "hurt": _runs, "tried": _runs, "changed": _runs, "champions": _runs,
    "count": _runs, "champion": champion, "setting": _setting, "value": value_at, "values": _values, "reach": _values,
    "run": run, "moved": moved, "settings": settings_of, "settings_of_best": _of_best, "why": why, "idea": why,
    "sure": why, "when": when, "span": _span, "noise": _noise, "who": _who,
    "margin": margin, "common": compare, "differ": compare, "unresolved": _unresolved,
}  # fmt: skip
