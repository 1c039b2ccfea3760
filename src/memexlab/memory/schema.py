"""The documented tables: what `memex sql` reads. Every one is folded from entries and safe to delete.

A run is named here by `run`, the position of its entry in this ledger: short to type and to join. The same run has the
same `id` in every ledger. Positions differ between ledgers, so `logical_hash` replaces them by ids.
Works with SQLite 3.40 and later.
"""

from __future__ import annotations

#: Raise it when a table or a fold changes; an index with another version is rebuilt, never migrated.
VERSION = 14

TABLES = """
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- every entry that landed, in order
CREATE TABLE entries(
  seq INTEGER PRIMARY KEY,      -- position in this ledger, from 0
  id TEXT NOT NULL UNIQUE,      -- e: and 32 hexadecimal digits, the same in every ledger
  kind TEXT NOT NULL,           -- source call run claim answer verdict
  subject TEXT NOT NULL,
  by TEXT NOT NULL,             -- human:NAME model:NAME agent:NAME code:NAME
  at TEXT NOT NULL,             -- when it was recorded, UTC
  since TEXT, until TEXT,       -- when it held in the world
  key TEXT,                     -- what makes a retry safe in its lab; two labs may have said one each
  body TEXT NOT NULL            -- JSON; read a field with json_extract(body, '$.name')
);
CREATE INDEX entries_kind ON entries(kind, subject);
CREATE INDEX entries_key ON entries(key) WHERE key IS NOT NULL;
CREATE INDEX entries_person ON entries(body ->> '$.meta.person')
  WHERE kind = 'source' AND body ->> '$.meta.person' <> '';

-- what an entry points to
CREATE TABLE refs(
  seq INTEGER NOT NULL,         -- the entry that points
  role TEXT NOT NULL,           -- from quotes tests parent supersedes retracts ... diff log artifact evaluator file
  target TEXT NOT NULL,         -- an entry id (e:...) or a blob id (b:...)
  start INTEGER, end INTEGER    -- span in the blob, or NULL for all of it
);
CREATE INDEX refs_seq ON refs(seq, role);
CREATE INDEX refs_target ON refs(target, role);

-- what may be compared: one metric, one evaluator, one budget, one kind of hardware
CREATE TABLE campaigns(
  campaign TEXT PRIMARY KEY,
  metric TEXT NOT NULL,
  unit TEXT NOT NULL,
  better TEXT NOT NULL,         -- lower or higher
  budget_seconds REAL,
  evaluator TEXT NOT NULL,      -- hash of the locked files, or ''
  hardware TEXT NOT NULL,
  origin TEXT NOT NULL          -- lab, import or log
) WITHOUT ROWID;

-- one row a run; the last word on it
CREATE TABLE runs(
  run INTEGER PRIMARY KEY,      -- entries.seq of the run
  id TEXT NOT NULL UNIQUE,      -- entries.id
  campaign TEXT NOT NULL,
  number INTEGER NOT NULL,      -- counts the runs of the campaign from 1
  role TEXT NOT NULL,           -- candidate baseline pair control final
  status TEXT NOT NULL,         -- keep discard crash timeout blocked invalid inconclusive ok started lost
  verdict TEXT NOT NULL,        -- confirmed provisional discard inconclusive dropped ... or '' where nobody judged
  reason TEXT NOT NULL,         -- the verdict in a sentence
  value REAL,                   -- the campaign's metric; NULL where nothing was measured
  description TEXT NOT NULL,
  hypothesis TEXT NOT NULL,
  parent INTEGER,               -- the run it was derived from
  commit_id TEXT NOT NULL,
  seed INTEGER,
  seconds REAL,                 -- wall clock, by the harness
  usd REAL,
  hardware TEXT NOT NULL,
  isolation TEXT NOT NULL,
  self_reported INTEGER NOT NULL, -- 1 where the run itself printed its metric
  error TEXT NOT NULL,
  by TEXT NOT NULL,
  at TEXT NOT NULL
);
CREATE INDEX runs_value ON runs(campaign, value) WHERE value IS NOT NULL;
CREATE UNIQUE INDEX runs_number ON runs(campaign, number, run);
CREATE INDEX runs_status ON runs(status);
CREATE INDEX runs_at ON runs(at);
-- the conditions are those of a question for the best run, word for word: what they imply is then not looked at again
CREATE INDEX runs_best ON runs(campaign, number, value) WHERE role IN ('candidate', 'baseline')
  AND value IS NOT NULL AND status NOT IN ('blocked', 'crash', 'invalid', 'lost', 'started', 'timeout');
CREATE INDEX runs_retracted ON runs(campaign) WHERE verdict = 'retract';
CREATE INDEX runs_fresh ON runs(campaign, commit_id) WHERE role IN ('baseline', 'pair', 'control');
CREATE INDEX runs_control ON runs(campaign, number) WHERE role = 'control';

CREATE TABLE metrics(
  run INTEGER NOT NULL, name TEXT NOT NULL, value REAL NOT NULL, PRIMARY KEY(run, name)
) WITHOUT ROWID;

-- the knobs that a run was measured under
CREATE TABLE settings(
  run INTEGER NOT NULL,
  knob TEXT NOT NULL,
  value TEXT,                   -- as text, true and false for booleans
  number REAL,                  -- as a number, where it is one
  run_number INTEGER NOT NULL,  -- runs.number, so that the first run with a value is found without the others
  PRIMARY KEY(run, knob)
) WITHOUT ROWID;
CREATE INDEX settings_value ON settings(knob, value COLLATE NOCASE, run_number, run);
CREATE INDEX settings_number ON settings(knob, number, run_number, run) WHERE number IS NOT NULL;

-- typed edits of a run against its parent
CREATE TABLE changes(
  run INTEGER NOT NULL,
  component TEXT NOT NULL,      -- function or class, '' for the module
  knob TEXT NOT NULL,
  old TEXT, new TEXT,
  direction TEXT NOT NULL,      -- up down set add remove swap edit
  magnitude REAL,               -- doublings (log2 of the ratio) where both are positive numbers, else the difference
  origin TEXT NOT NULL          -- settings, diff or text: what the change was read from
);
CREATE INDEX changes_run ON changes(run);
CREATE INDEX changes_knob ON changes(knob, new COLLATE NOCASE, run);

-- judgements on runs, every one of them; the last counts in `runs`
CREATE TABLE verdicts(
  seq INTEGER PRIMARY KEY,      -- entries.seq of the verdict
  run INTEGER NOT NULL,         -- the run it judges
  decision TEXT NOT NULL,       -- confirmed provisional discard inconclusive dropped ... or retract
  reason TEXT NOT NULL,
  gain REAL,                    -- mean gain of the fresh pairs against the champion of that time, positive is better
  low REAL, high REAL,          -- 95 % interval of the gain
  sigma REAL,                   -- noise floor it was judged with
  mde REAL,                     -- smallest effect this test would have seen 8 times in 10
  pairs INTEGER,                -- fresh pairs run
  champion INTEGER,             -- the champion it was compared with
  numbers TEXT NOT NULL         -- JSON, all numbers of the judgement
);
CREATE INDEX verdicts_run ON verdicts(run);

-- what each run measured of each change it made; runs that moved more than six knobs give none
CREATE TABLE measurements(
  run INTEGER NOT NULL,
  campaign TEXT NOT NULL,
  component TEXT NOT NULL, knob TEXT NOT NULL, old TEXT, new TEXT, direction TEXT NOT NULL, -- as in changes;
                                -- where neither value is known, new is a factor (x1.5), `there` or a direction
  gain REAL NOT NULL,           -- positive is better, in the metric's unit
  standard_error REAL,          -- NULL while the noise of the campaign is unknown
  pairs INTEGER NOT NULL,       -- fresh pairs, or fresh runs of the changed side; 0 where its own value is all there is
  basis TEXT NOT NULL,          -- pairs, fresh runs or one run, as its judge saw it: the most exact there is
  confounded INTEGER NOT NULL,  -- 1 where the run moved more than one knob
  against INTEGER NOT NULL      -- the run it is compared with: its parent, or the running best of a log without parents
);
CREATE INDEX measurements_run ON measurements(run);
CREATE INDEX measurements_knob ON measurements(campaign, knob, old, new);
CREATE INDEX measurements_against ON measurements(campaign, against);

-- what all runs together say of a change; a change and its opposite are one row, in the direction measured first
CREATE TABLE effects(
  campaign TEXT NOT NULL,
  component TEXT NOT NULL, knob TEXT NOT NULL, old TEXT, new TEXT,
  n INTEGER NOT NULL,           -- runs that were used: those that moved this knob alone, where there are any
  gain REAL NOT NULL,           -- pooled, positive is better; of one context where `condition` names it
  low REAL, high REAL,          -- 95 % interval; NULL while the noise is unknown
  sigma REAL,                   -- noise of one side of a pair, as verdicts take it: docs/decisions.md
  status TEXT NOT NULL,         -- replicated, within noise, conditional, reversed, stale or unresolved: docs/effects.md
  condition TEXT NOT NULL,      -- knob = value under which the gain holds, or ''
  runs_to_settle INTEGER,       -- fresh pairs that would show the gain 8 times in 10; NULL where nothing is open
  runs TEXT NOT NULL,           -- JSON list of runs.number
  confounded TEXT NOT NULL      -- knobs that moved along whenever this one did, or ''
);
CREATE INDEX effects_knob ON effects(campaign, knob, old);

-- what rests on a retracted run: runs, the verdicts on them, the claims and answers that cite any of these
CREATE TABLE doubted(
  entry INTEGER PRIMARY KEY,    -- entries.seq of what is in doubt
  kind TEXT NOT NULL,           -- run, verdict, claim or answer
  run INTEGER NOT NULL,         -- the run that it is, judges or speaks of
  retracted INTEGER NOT NULL,   -- the retracted run that it rests on, the nearest where there are several
  steps INTEGER NOT NULL,       -- how many links away that is
  path TEXT NOT NULL            -- the links in words, such as: derived from run 9, derived from run 5
);

-- who was champion when, by position in the campaign
CREATE TABLE champions(
  campaign TEXT NOT NULL,
  run INTEGER NOT NULL,
  since INTEGER NOT NULL,       -- runs.number at which it took the place
  until INTEGER,                -- runs.number at which it lost it; NULL for the reigning one
  value REAL,
  gain REAL,                    -- against the champion before, positive is better
  PRIMARY KEY(campaign, since)
) WITHOUT ROWID;

-- measured candidates and baselines that were better than all of them with a smaller number, kept or not
CREATE TABLE records(
  campaign TEXT NOT NULL,
  number INTEGER NOT NULL,      -- runs.number
  run INTEGER NOT NULL,
  value REAL NOT NULL,
  PRIMARY KEY(campaign, number)
) WITHOUT ROWID;

-- documents that were ingested and that nothing superseded
CREATE TABLE documents(
  entry INTEGER PRIMARY KEY,    -- entries.seq of the document
  document TEXT NOT NULL,       -- its id, as whoever ingested it named it
  title TEXT NOT NULL,
  author TEXT NOT NULL,
  published TEXT NOT NULL,      -- the date it was given, or ''
  url TEXT NOT NULL,
  chars INTEGER NOT NULL        -- length of its text
);
CREATE INDEX documents_document ON documents(document);

-- documents cut at paragraph ends; passage_words is the FTS5 index over them, by rowid
CREATE TABLE passages(
  entry INTEGER NOT NULL,       -- the document
  start INTEGER NOT NULL, end INTEGER NOT NULL, -- where it stands in the text of the document, in characters
  text TEXT NOT NULL,
  names TEXT NOT NULL           -- names and years it mentions, one a line, in lower case without accents
);
CREATE INDEX passages_entry ON passages(entry);
CREATE VIRTUAL TABLE passage_words USING fts5(
  title, text, content='', tokenize='porter unicode61 remove_diacritics 2'
);

-- what sources were quoted for; a claim stands while its source is in documents and nothing supersedes or retracts it
CREATE TABLE claims(
  entry INTEGER PRIMARY KEY,    -- entries.seq of the claim
  source INTEGER NOT NULL,      -- entries.seq of the source it is quoted from
  subject TEXT NOT NULL,        -- what it is about, as the source calls it
  relation TEXT NOT NULL,       -- summary, is, says, dated, alias, author, supersedes ... or the name of a value
  object TEXT,                  -- the value, where there is one
  stance TEXT NOT NULL,         -- holds rejects asks reports
  scope TEXT NOT NULL,          -- JSON: under what it holds, or the section that says it
  text TEXT NOT NULL,           -- the claim as one sentence
  since TEXT, until TEXT        -- when it held in the world, as far as the source says
);
CREATE INDEX claims_subject ON claims(subject, relation);
CREATE INDEX claims_source ON claims(source);

-- the exact words that a claim rests on
CREATE TABLE quotes(
  entry INTEGER NOT NULL,       -- the claim
  start INTEGER NOT NULL,       -- in bytes of the text of the source
  line INTEGER NOT NULL, last_line INTEGER NOT NULL, -- lines of the text, from 1
  text TEXT NOT NULL,
  end INTEGER NOT NULL          -- in bytes
);
CREATE INDEX quotes_entry ON quotes(entry);

-- names that a source uses, with the first sentence that does
CREATE TABLE mentions(
  entry INTEGER NOT NULL,       -- the source
  name TEXT NOT NULL,           -- as it is written there
  count INTEGER NOT NULL,       -- how often
  line INTEGER NOT NULL, last_line INTEGER NOT NULL, -- where the sentence stands
  text TEXT NOT NULL            -- the sentence
);
CREATE INDEX mentions_entry ON mentions(entry);

-- names in normal form, and the sources that mention them and the claims that are about them: what a trail goes by
CREATE TABLE named(
  name TEXT NOT NULL,           -- in lower case without accents
  entry INTEGER NOT NULL,       -- the source or the claim
  role TEXT NOT NULL,           -- title or mention of a source, subject or object of a claim
  spelt TEXT NOT NULL,          -- as it is written there
  PRIMARY KEY(name, entry, role)
) WITHOUT ROWID;
CREATE INDEX named_entry ON named(entry);

-- how what an entry says ended: a later entry superseded it (changed), or it was retracted (corrected)
CREATE TABLE endings(
  entry TEXT PRIMARY KEY,       -- entries.id of what ended; that a started run ended is not here
  ended_by TEXT NOT NULL,       -- entries.id of what ended it
  end TEXT NOT NULL,            -- changed or corrected
  until TEXT                    -- since when it holds no more, where it changed
) WITHOUT ROWID;

-- names that verdicts joined; rules and the alias table join more, when they are asked
CREATE TABLE same(
  name TEXT PRIMARY KEY,
  canonical TEXT NOT NULL       -- the shortest of those that are one
) WITHOUT ROWID;

-- what is wrong with the ledger; empty is good
CREATE TABLE damage(
  place TEXT NOT NULL, rule TEXT NOT NULL, severity TEXT NOT NULL, message TEXT NOT NULL, hint TEXT NOT NULL
);
"""

#: What held when, known when: the view `facts`, and with champions and endings of another day, what was known then.
FACTS = """
SELECT e.subject,
  CASE e.kind WHEN 'run' THEN 'status' WHEN 'verdict' THEN 'verdict' WHEN 'answer' THEN e.body ->> '$.question'
    ELSE coalesce(nullif(e.body ->> '$.stance', 'holds') || ' ', '') || coalesce(e.body ->> '$.relation', 'says')
    END AS predicate,
  CASE e.kind WHEN 'run' THEN e.body ->> '$.status' WHEN 'verdict' THEN v.decision
    ELSE coalesce(e.body ->> '$.object', e.body ->> '$.text') END AS object,
  r.campaign, r.number AS since_run, NULL AS until_run, coalesce(e.since, e.at) AS since,
  coalesce(e.until, n.until) AS until, e.at, e.id AS entry, n.ended_by, n.end
FROM entries e LEFT JOIN verdicts v ON v.seq = e.seq LEFT JOIN runs r ON r.run = coalesce(v.run, e.seq)
  LEFT JOIN endings n ON n.entry = e.id
WHERE e.kind IN ('run', 'verdict', 'claim', 'answer') AND NOT (e.kind IN ('run', 'verdict') AND r.run IS NULL)
  AND (e.body ->> '$.relation') IS NOT 'is_named'
UNION ALL SELECT e.subject, p.value, e.body ->> ('$.' || p.value), NULL, NULL, NULL,
  coalesce(nullif(e.body ->> '$.published', ''), e.at), n.until, e.at, e.id, n.ended_by, n.end
FROM entries e JOIN json_each('["title", "author", "published"]') p LEFT JOIN endings n ON n.entry = e.id
WHERE e.kind = 'source' AND coalesce(e.body ->> ('$.' || p.value), '') <> ''
UNION ALL SELECT 'campaign:' || c.campaign, 'champion', 'run ' || c.since, c.campaign, c.since, c.until, r.at, n.at,
  coalesce((SELECT min(e.at) FROM verdicts v JOIN entries e USING (seq) WHERE v.run = c.run
    AND v.decision = 'confirmed'), r.at), r.id, n.id, iif(n.id IS NULL, NULL, 'changed')
FROM champions c JOIN runs r USING (run) LEFT JOIN champions m ON m.campaign = c.campaign AND m.since = c.until
  LEFT JOIN runs n ON n.run = m.run
UNION ALL SELECT * FROM (SELECT subject, 'champion value', value, campaign, since, lead(since) OVER k, at,
  lead(at) OVER k, at, id, lead(id) OVER k, iif(lead(id) OVER k IS NULL, NULL, 'changed')
FROM (SELECT *, lag(value) OVER (PARTITION BY subject, campaign ORDER BY since) AS was FROM (
  SELECT 'knob:' || s.knob AS subject, s.value, c.campaign, c.since, r.at, r.id
  FROM champions c JOIN runs r USING (run) JOIN settings s USING (run)
  UNION ALL SELECT 'knob:' || s.knob, s.new, c.campaign, c.since, r.at, r.id
  FROM champions c JOIN runs r USING (run) JOIN changes s USING (run) WHERE s.origin = 'text' AND s.new IS NOT NULL))
WHERE value IS NOT was WINDOW k AS (PARTITION BY subject, campaign ORDER BY since))
"""
TABLES += f"CREATE VIEW facts AS {FACTS};\n"

#: Indexes for questions alone: a long fold may make them when it is done.
NOT_READ_BY_FOLDS: tuple[str, ...] = (
    "runs_value", "runs_best", "runs_status", "runs_at", "settings_value", "settings_number", "changes_knob",
)  # fmt: skip

#: What SQLite's planner is told: (table, index) to rows in all, then rows for each prefix of the index's columns, as in
#: sqlite.org/fileformat2.html#stat1tab. Said once, for a lab of 100,000 runs, and never measured: the average number of
#: rows with one (knob, value) is near 1, because learning rates differ, and told so the planner fetches and sorts every
#: run with "optimizer = 'muon'" (20 ms) where walking the runs in the order of their value finds ten at once (0.05 ms).
HINTS: dict[tuple[str, str], str] = {
    ("runs", "sqlite_autoindex_runs_1"): "100000 1",
    ("runs", "runs_value"): "100000 10000 1",
    ("runs", "runs_number"): "100000 10000 1 1",
    ("runs", "runs_best"): "100000 10000 1 1",
    ("runs", "runs_status"): "100000 2000",
    ("runs", "runs_at"): "100000 1",
    ("metrics", "metrics"): "1000000 10 1",
    ("settings", "settings"): "1000000 10 1",
    ("settings", "settings_value"): "1000000 100000 25000 1 1",
    ("settings", "settings_number"): "1000000 100000 10000 1 1",
    ("changes", "changes_run"): "200000 2",
    ("changes", "changes_knob"): "200000 5000 2000 1",
    ("runs", "runs_fresh"): "2000 200 3",
    ("measurements", "measurements_run"): "100000 1",
    ("measurements", "measurements_knob"): "100000 10000 500 20 4",
    ("measurements", "measurements_against"): "100000 10000 100",
    ("effects", "effects_knob"): "50000 5000 250 10",
}

#: Columns that hold positions; `logical_hash` maps them to entry ids.
POSITIONS: dict[str, tuple[str, ...]] = {
    "refs": ("seq",),
    "runs": ("run", "parent"),
    "metrics": ("run",),
    "settings": ("run",),
    "changes": ("run",),
    "verdicts": ("seq", "run", "champion"),
    "measurements": ("run", "against"),
    "champions": ("run",),
    "records": ("run",),
    "doubted": ("entry", "run", "retracted"),
    "documents": ("entry",),
    "passages": ("entry",),
    "claims": ("entry", "source"),
    "quotes": ("entry",),
    "mentions": ("entry",),
    "named": ("entry",),
}
#: Tables that `logical_hash` covers.
HASHED: tuple[str, ...] = (
    "entries",
    "refs",
    "campaigns",
    "runs",
    "metrics",
    "settings",
    "changes",
    "verdicts",
    "measurements",
    "effects",
    "champions",
    "records",
    "doubted",
    "documents",
    "passages",
    "claims",
    "quotes",
    "mentions",
    "named",
    "endings",
    "same",
)
