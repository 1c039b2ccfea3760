"""Claims that no rule found, when their source moves or changes: they go along where their words still stand.

A rule says again what it finds in every version of a file. What a model, an agent or a person read there is landed anew
for the version that holds the words it quotes, by who said it, in place of the earlier claim. It knows no files.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict

from ..ledger import Claim, Draft, Finding, Ref
from ..memory import Memory
from .claims import ByteOffsets
from .live_claims import OF_HAND
from .quotes import locate

_ENDED = """FROM entries x JOIN refs r ON r.seq = x.seq AND r.role IN ('supersedes', 'retracts') JOIN entries s ON
 s.id = r.target AND s.kind = 'source'"""
#: Sources that came since an entry, and those with the same bytes as one that ended since then.
_HEIRS = f"""SELECT d.entry FROM documents d WHERE d.entry > ?1 UNION SELECT d.entry {_ENDED} JOIN refs f ON f.seq =
 s.seq AND f.role = 'file' JOIN refs g ON g.target = f.target AND g.role = 'file' JOIN documents d ON d.entry = g.seq
 WHERE x.seq > ?1"""
#: What such a source may take over: claims of its earlier versions, and of sources with its bytes, that stand no more.
_LEFT = f"""SELECT e.seq, e.id, e.by, e.subject, e.key, e.body, e.since, e.until FROM (SELECT o.seq FROM entries o,
 entries n WHERE n.seq = ?1 AND o.kind = 'source' AND o.subject = n.subject UNION SELECT seq FROM refs WHERE target = ?2
 AND role = 'file') s JOIN claims c ON c.source = s.seq JOIN entries e ON e.seq = c.entry LEFT JOIN endings n ON
 n.entry = e.id LEFT JOIN entries y ON y.id = n.ended_by WHERE e.key GLOB 'claim:*' AND s.seq NOT IN (SELECT entry FROM
 documents) AND (n.entry IS NULL OR n.end = 'changed' AND {OF_HAND.format("y")}) ORDER BY e.seq"""
_LOST = f"""SELECT json_extract(s.body, '$.meta.path'), e.by, count(DISTINCT e.id) {_ENDED} JOIN claims c ON c.source =
 s.seq JOIN entries e ON e.seq = c.entry AND e.key GLOB 'claim:*' LEFT JOIN endings n ON n.entry = e.id WHERE x.seq > ?
 AND n.entry IS NULL GROUP BY 1, 2 ORDER BY 1, 2"""


def carry(memory: Memory, since: int) -> tuple[int, list[Finding]]:
    """Lands the claims that go along with sources that came or ended after the entry `since`: how many, and of each
    file those that could not."""
    db, drafts = memory.db, defaultdict[str, dict[str, Draft]](dict)
    for (heir,) in db.execute(_HEIRS, (since,)).fetchall():
        sql = "SELECT e.id, r.target FROM entries e JOIN refs r ON r.seq = e.seq AND r.role = 'file' WHERE e.seq = ?"
        entry, blob = db.execute(sql, (heir,)).fetchone()
        if left := db.execute(_LEFT, (heir, blob)).fetchall():
            data = memory.blobs.get(blob)
            for seq, old, by, subject, key, body, since_day, until_day in left:
                claim, refs = json.loads(body), _moved(db, seq, blob, data)
                if refs:
                    key = f"claim:{entry}:{key.rpartition(':')[2]}"
                    refs += [Ref("from", entry), Ref("supersedes", old)]
                    drafts[by][key] = Draft(subject, Claim(**claim), tuple(refs), since_day, until_day, key)
    for by, told in drafts.items():
        memory.land(list(told.values()), by)
    lost = [
        Finding("claims-withdrawn", "warning", path, f"{count} claims of {by} are withdrawn: the words they quote are "
                "gone, and with those words they come back", f"memex ingest {path} --brief")
        for path, by, count in memory.db.execute(_LOST, (since,))
    ]  # fmt: skip
    return sum(map(len, drafts.values())), lost


def _moved(db: sqlite3.Connection, claim: int, blob: str, data: bytes) -> list[Ref]:
    """Where the quotes of a claim stand in this text; nothing where one does not."""
    text, refs = data.decode("utf-8", errors="replace"), list[Ref]()
    offset = ByteOffsets(text)
    for quote, start, end in db.execute("SELECT text, start, end FROM quotes WHERE entry = ? ORDER BY start", (claim,)):
        if data[start:end] != quote.encode("utf-8", errors="replace"):
            if (span := locate(quote, text)) is None:
                return []
            start, end = offset(span.start), offset(span.end)
        refs.append(Ref("quotes", blob, start, end))
    return refs
