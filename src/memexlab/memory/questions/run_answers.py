"""Answers about one run or two: what it measured, changed and was set to, why and when, and who reigned at it."""

from __future__ import annotations

from dataclasses import replace

from ...ledger import FAILED
from ..registry import registry
from .context import Answer, Scene, line, typed
from .grammar import Question
from .moments import Impossible, NotHere, quoted


def value_at(scene: Scene, q: Question) -> Answer:
    knob = q.one_knob
    then = f"(SELECT s.value FROM settings s WHERE s.run = r.run AND s.knob = {quoted(knob)})"
    if not scene.has_settings(knob):  # never changed by a champion: what every try of it started from
        moved = f"changes c JOIN runs o USING (run) WHERE o.campaign = r.campaign AND c.knob = {quoted(knob)}"
        kept = f"SELECT 1 FROM {moved} AND EXISTS (SELECT 1 FROM champions k WHERE k.run = o.run)"
        old = f"SELECT min(c.old) FROM {moved} AND o.number <= {scene.last} AND NOT EXISTS ({kept})"
        then = f"coalesce({scene.replayed(knob)}, ({old} HAVING count(DISTINCT c.old) = 1))"
    sql, rows = scene.rows(
        q, f"SELECT r.number, r.id, {then} FROM runs r WHERE {scene.this_run(q)} ORDER BY r.id LIMIT 1"
    )
    if not rows or rows[0][2] is None:
        raise NotHere(f"the value of {knob} at run {q.at}")
    return scene.answer(q, typed(rows[0][2]), f"{knob} = {rows[0][2]} at run {q.at}", sql, [rows[0][1]])


def margin(scene: Scene, q: Question) -> Answer:
    """By how much one run is better than another, as each was measured."""
    one, two = (f"(SELECT r.value FROM runs r WHERE {scene.this_run(replace(q, at=n))})" for n in q.runs)
    sql, [row] = scene.rows(q, f"SELECT {one} AS first, {two} AS second")
    if None in row:
        raise NotHere(f"runs {q.runs[0]} and {q.runs[1]} were not both measured")
    gain = (row[1] - row[0]) * (1 if scene.lower else -1)
    refs = scene.db.execute(f"SELECT id FROM runs r WHERE r.campaign = ? AND number IN {q.runs}", (scene.campaign,))
    told = (
        f"run {q.runs[0]} is {abs(gain):.6g} {'better' if gain > 0 else 'worse'} than run {q.runs[1]}, each as measured"
    )
    return scene.answer(q, gain, f"{told}: {row[0]:.6g} and {row[1]:.6g}", sql, [ref for (ref,) in refs])


def run(scene: Scene, q: Question) -> Answer:
    sql, rows = scene.rows(q, f"{scene.shown(scene.measured(q.metric))} {scene.this_run(q)}")
    if not rows or (q.metric and rows[0][3] is None):
        raise NotHere(f"no {q.metric or 'measurement'} of run {q.at}")
    known = {"run": q.at, "value": rows[0][3]} if q.metric else rows[0][2]
    return scene.answer(q, known, f"{f'{q.metric} of ' * bool(q.metric)}{line(rows[0])}", sql, [rows[0][1]])


def moved(scene: Scene, q: Question) -> Answer:
    """What a run changed, as far as it was read from its settings, its diff or its description."""
    own = "SELECT c.knob, c.old, c.new, r.id, r.description FROM runs r LEFT JOIN changes c USING (run)"
    sql, rows = scene.rows(q, f"{own} WHERE {scene.this_run(q)} ORDER BY 1")
    if not rows or rows[0][0] is None:
        raise NotHere(f"no change of run {q.at} was read" + "".join(f"; it says: {row[4][:200]}" for row in rows))
    told = ", ".join(f"{row[0]}: {row[1] or '?'} to {row[2] or '?'}" for row in rows[:50])
    return scene.answer(q, [row[0] for row in rows], f"run {q.at}: {told}\n{rows[0][4]}", sql, [rows[0][3]])


def settings_of(scene: Scene, q: Question) -> Answer:
    """All settings of one run."""
    own = "SELECT s.knob, s.value, r.id FROM runs r JOIN settings s USING (run)"
    sql, rows = scene.rows(q, f"{own} WHERE {scene.this_run(q)} ORDER BY 1")
    if not rows:
        raise NotHere(f"settings of run {q.at}: this log did not record them")
    told = ", ".join(f"{row[0]} = {row[1]}" for row in rows)
    return scene.answer(q, {row[0]: typed(row[1]) for row in rows}, f"run {q.at}: {told}", sql, [rows[0][2]])


def why(scene: Scene, q: Question) -> Answer:
    """why, idea and sure: what was written when a run was planned, judged or ended, word for word."""
    wanted = f" AND v.decision = {quoted(q.decision)}" if q.decision and q.kind == "why" else ""
    judged = (
        f"(SELECT v.seq FROM verdicts v JOIN entries e USING (seq) WHERE v.run = r.run AND {scene.known}{wanted}"
        " ORDER BY e.at DESC, e.id DESC LIMIT 1)"
    )
    own = (
        f"r.number, r.id, {scene.status} AS status, r.value, r.description, r.error, v.reason, v.decision, r.hypothesis"
    )
    found = f"FROM runs r LEFT JOIN verdicts v ON v.seq = {judged} WHERE {scene.this_run(q)}"
    sql, rows = scene.rows(q, f"SELECT {own}, r.error, v.reason, v.decision, r.hypothesis {found}")
    if not rows:
        raise NotHere(f"no run {q.at}")
    [row] = rows[:1]
    status, error, reason, decision, hypothesis = row[2], row[5], row[6], row[7], row[8]
    lost = {"inconclusive", "dropped", "discard"}
    alike = {"discard": lost, "failed": FAILED, "unkept": FAILED | lost}.get(q.status, set()) | {q.status}
    if (q.status and status not in alike) or (q.decision and not decision):
        raise Impossible(f"run {q.at} is {decision or status}, not {q.decision or q.status}")
    told = {"idea": hypothesis, "sure": reason}.get(q.kind, reason or error or row[4])
    if not told:
        what = "a hypothesis" if q.kind == "idea" else "a verdict on it: it was measured, and judged by nobody"
        raise Impossible(f"run {q.at} has no record of {what}")
    value = decision if q.kind == "sure" else told
    unsaid = "" if told != row[4] or q.kind == "idea" else " (no reason was recorded; this is its description)"
    return scene.answer(q, value, f"{line(row)}\n{told}{unsaid}", sql, [row[1]])


def when(scene: Scene, q: Question) -> Answer:
    """When a run ended. An imported log says when it was imported, which is another thing."""
    scene.own_clock()
    status = f" AND {scene.status} = {quoted(q.status)}" if q.status else ""
    sql, rows = scene.rows(q, f"SELECT r.at, r.id FROM runs r WHERE {scene.this_run(q)}{status}")
    if not rows:
        raise NotHere(f"no run {q.at}")
    return scene.answer(q, rows[0][0], f"run {q.at} was recorded at {rows[0][0][:19]} UTC", sql, [rows[0][1]])


def compare(scene: Scene, q: Question) -> Answer:
    """common and differ: settings of two runs; of logs without settings, the knobs that both of them changed."""
    own = f"SELECT run FROM runs WHERE campaign = {scene.name} AND number"
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
    sql, rows = scene.rows(q, f"{sql} ORDER BY 1")
    refs = [row[0] for row in scene.db.execute(f"SELECT id FROM runs WHERE run IN ({', '.join(sides)})")]
    cells = [f"{row[0]} ({row[1]}{'' if row[1] == row[2] else f' and {row[2]}'})" for row in rows]
    told = f"runs {q.runs[0]} and {q.runs[1]}: {', '.join(cells) or 'nothing recorded'}"
    names = list(dict.fromkeys(row[0] for row in rows))
    return scene.answer(q, names, told, sql, refs)


def _judged_gain(scene: Scene, q: Question) -> Answer:
    """What fresh pairs gave a run that did not become champion."""
    own = "SELECT v.gain, v.low, v.high, v.pairs, v.decision, r.id FROM runs r JOIN verdicts v USING (run)"
    fits = f"{scene.this_run(q)} AND v.gain IS NOT NULL AND {scene.known} ORDER BY e.at DESC LIMIT 1"
    sql, rows = scene.rows(q, f"{own} JOIN entries e USING (seq) WHERE {fits}")
    if not rows:
        raise NotHere(f"run {q.at} beat no champion")
    gain, low, high, pairs, decision, ref = rows[0]
    told = f"by {gain:.6g} in {pairs} pairs, 95 % interval {low:.4g} to {high:.4g}: {decision}"
    return scene.answer(q, gain, told, sql, [ref])


def champion(scene: Scene, q: Question) -> Answer:
    """champion and gain: who reigned, or by how much a run beat the champion before it."""
    at = min(n for n in (scene.last, q.at, q.window.last) if n is not None)
    exact = f"= {q.at}" if q.kind == "gain" else f"<= {at}"
    own = f"SELECT r.number, r.id, {scene.status} AS status, k.value, r.description, k.gain FROM champions k"
    reign = f"k.campaign = {scene.name} AND k.since {exact} ORDER BY k.since DESC LIMIT 1"
    sql, rows = scene.rows(q, f"{own} JOIN runs r USING (run) WHERE {reign}")
    if scene.cut is not None:
        then = registry(scene.db, scene.campaign, at).reigns
        if [r.since for r in then if r.since == q.at or q.kind != "gain"][-1:] != [row[0] for row in rows]:
            raise NotHere(f"a later verdict changed who reigned; memex registry --as-of {at} shows what was known then")
    if not rows and q.kind == "gain":
        return _judged_gain(scene, q)
    if not rows or (q.kind == "gain" and rows[0][5] is None):
        raise NotHere("no champion then" if q.kind == "champion" else f"run {q.at} beat no champion")
    value, told = (rows[0][5], f"by {rows[0][5]:.6g}, ") if q.kind == "gain" else (rows[0][0], "")
    return scene.answer(q, value, told + line(rows[0]), sql, [rows[0][1]])
