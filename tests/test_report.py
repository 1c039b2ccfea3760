"""The morning report on views filled here by hand: what it says, what it refuses to say, and that it is safe."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from memexlab.lab.logbook import busy_seconds, is_since, read_logbook
from memexlab.lab.report import Report, build_report, to_html, to_json, to_markdown, to_png
from memexlab.lab.wording import Amounts, clean, command, duration, run_numbers
from memexlab.memory import schema

NOW = datetime(2026, 3, 12, 6, 31, tzinfo=UTC)
MAR8 = Path(__file__).parent / "data" / "logs" / "mar8.results.tsv"
NASTY = "<script>alert(1)</script> | a\nb\x00\x1b[31m `c` [x](javascript:y) ![z](http://q) \u202eabc &lt; *b* #9"


class Views:
    """The tables of the views, filled row by row as the folds would."""

    def __init__(self, folder: Path) -> None:
        self.db = sqlite3.connect(folder / "index.sqlite")
        self.db.executescript(f"PRAGMA synchronous = OFF; BEGIN; {schema.TABLES} COMMIT;")
        self.at = datetime(2026, 3, 12, 1, 0, tzinfo=UTC)
        self.seq = self.number = 0
        self.name = ""

    def campaign(
        self,
        name: str,
        origin: str = "lab",
        better: str = "lower",
        unit: str = "bits per byte",
        metric: str = "val_bpb",
    ) -> None:
        self.name, self.number = name, 0
        row = (name, metric, unit, better, 15, "evaluator", "4 cores", origin)
        self.db.execute("INSERT INTO campaigns VALUES (?,?,?,?,?,?,?,?)", row)

    def entry(self, kind: str, body: object = None) -> int:
        self.seq += 1
        row = (
            self.seq,
            f"e:{self.seq:032x}",
            kind,
            "s",
            "code:x",
            self.at.isoformat(),
            None,
            None,
            None,
            json.dumps(body),
        )
        self.db.execute("INSERT INTO entries VALUES (?,?,?,?,?,?,?,?,?,?)", row)
        return self.seq

    def run(
        self, value: float | None, role: str = "candidate", status: str = "ok", description: str = "", commit: str = "",
        parent: int | None = None, settings: Mapping[str, object] | None = None, error: str = "", seconds: float = 20.0,
        tests: int | None = None, usd: float | None = None, self_reported: bool = False,
    ) -> int:  # fmt: skip
        self.at += timedelta(seconds=seconds)
        self.number += 1
        seq = self.entry("run")
        row = (
            seq, f"e:{seq:032x}", self.name, self.number, role, status, "", "", value, description, "", parent, commit,
            self.number, seconds, usd, "cpu", "supervised", int(self_reported), error, "code:x", self.at.isoformat(),
        )  # fmt: skip
        self.db.execute(f"INSERT INTO runs VALUES ({','.join('?' * 22)})", row)
        for knob, setting in (settings or {}).items():
            self.db.execute("INSERT INTO settings VALUES (?,?,?,NULL)", (seq, knob, str(setting)))
        if tests is not None:
            self.db.execute("INSERT INTO refs VALUES (?,'tests',?,NULL,NULL)", (seq, f"e:{tests:032x}"))
        return seq

    def change(self, run: int, knob: str, old: str | None, new: str | None, direction: str = "up") -> None:
        self.db.execute("INSERT INTO changes VALUES (?,'',?,?,?,?,1.0,'settings')", (run, knob, old, new, direction))

    def verdict(self, run: int, decision: str, champion: int, **numbers: float) -> None:
        n = numbers
        cells = (n.get("gain"), n.get("low"), n.get("high"), n.get("sigma"), n.get("mde"), n.get("pairs"))
        row = (self.entry("verdict"), run, decision, f"{decision}: why", *cells, champion, json.dumps(numbers))
        self.db.execute(f"INSERT INTO verdicts VALUES ({','.join('?' * 12)})", row)
        status = {"confirmed": "keep", "provisional": "keep", "inconclusive": "inconclusive", "retract": "invalid"}
        self.db.execute(
            "UPDATE runs SET verdict = ?, status = ? WHERE run = ?", (decision, status.get(decision, "discard"), run)
        )

    def crown(self, run: int, value: float, gain: float | None) -> None:
        [number] = self.db.execute("SELECT number FROM runs WHERE run = ?", (run,)).fetchone()
        self.db.execute("UPDATE champions SET until = ? WHERE campaign = ? AND until IS NULL", (number, self.name))
        self.db.execute("INSERT INTO champions VALUES (?,?,?,NULL,?,?)", (self.name, run, number, value, gain))

    def report(self, **more: str) -> Report:
        return build_report(self.db, now=NOW, **more)


@pytest.fixture
def views(tmp_path: Path) -> Views:
    return Views(tmp_path)


def fill_night(views: Views, third_split: float = 1.822) -> None:
    """Four baselines around 1.873 (sigma 0.005), a confirmed win of 0.070 by two pairs, and what a night brings."""
    views.campaign("night")
    settings = {"LR": 0.003, "WARMUP": 20}
    base = [views.run(v, "baseline", "ok", "baseline", "c0", settings=settings) for v in (1.868, 1.878, 1.871, 1.875)]
    views.crown(base[0], 1.868, None)
    sigma = {"sigma": 0.005, "dof": 3}
    win = views.run(
        1.796, description="LR 0.003 to 0.006", commit="c1", parent=base[0], settings={**settings, "LR": 0.006}
    )
    views.change(win, "LR", "0.003", "0.006")
    for ours, theirs in ((1.802, 1.873), (1.804, 1.873)):
        views.run(ours, "pair", "ok", "candidate", "c1", parent=win, settings={**settings, "LR": 0.006}, tests=win)
        views.run(theirs, "pair", "ok", "champion", "c0", parent=base[0], settings=settings, tests=win)
    views.verdict(win, "confirmed", base[0], gain=0.070, low=0.054, high=0.086, mde=0.012, pairs=2, **sigma)
    views.crown(win, 1.796, 0.070)
    flat = views.run(1.8035, description="WARMUP 20 to 40", commit="c2", parent=win)
    views.change(flat, "WARMUP", "20", "40")
    views.verdict(flat, "discard", win, screen_gain=-0.0005, z=-0.1, mde=0.016, **sigma)
    worse = views.run(1.95, description="DEPTH 4 to 8", commit="c3", parent=win)
    views.change(worse, "DEPTH", "4", "8")
    views.verdict(worse, "discard", win, screen_gain=-0.147, z=-24.0, **sigma)
    perhaps = views.run(1.796, description="BETA2 0.95 to 0.99", commit="c4", parent=win)
    views.change(perhaps, "BETA2", "0.95", "0.99")
    views.verdict(
        perhaps,
        "inconclusive",
        win,
        gain=0.004,
        low=-0.006,
        high=0.014,
        mde=0.01,
        pairs=3,
        standard_error=0.0041,
        **sigma,
    )
    for size in (12, 41):
        error = f"Traceback\n  File '/tmp/w{size}/train.py', line 88\nMemoryError: {size} MB at 0x7f{size}a"
        views.run(None, status="crash", description="BATCH up", commit="c5", parent=win, error=error)
    views.run(third_split, "final", "ok", "third split", "c1", parent=win)
    views.run(1.893, "final", "ok", "third split", "c0", parent=base[0])


def fill_mar8(views: Views) -> None:
    """The log of upstream's first public night, as the importer folds it."""
    views.campaign("mar8", origin="import")
    best: float | None = None
    with MAR8.open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            failed = row["status"] == "crash"
            value = None if failed else float(row["val_bpb"])
            role = "baseline" if row["description"] == "baseline" else "candidate"
            run = views.run(value, role, row["status"], row["description"], row["commit"], seconds=0)
            if row["status"] == "keep" and value is not None:
                views.crown(run, value, best - value if best is not None else None)
                best = value


# --- what it says


def test_the_headline_says_what_won_how_sure_and_at_what_cost(views: Views) -> None:
    fill_night(views)
    assert views.report().headline == (
        "Champion 1.803 bits per byte (#5 LR 0.003 to 0.006), 0.070 better than the baseline (14 sigma), confirmed by "
        "2 fresh pairs. 6 ideas tried in 5 min 20 s: 1 confirmed, 1 unresolved, 2 failed."
    )


def test_the_champion_is_worth_its_fresh_runs_not_the_lucky_one_that_was_screened(views: Views) -> None:
    fill_night(views)
    standing = views.report().sections[0].standing
    assert standing is not None
    assert standing.champion_value == pytest.approx(1.803)
    assert (standing.low, standing.high, standing.pairs, standing.confirmed) == (0.054, 0.086, 2, True)


def test_a_second_win_is_compared_with_the_baseline_by_fresh_means(views: Views) -> None:
    fill_night(views)
    views.name = "night"
    win = views.run(1.78, description="gelu", commit="c9", parent=5)
    for ours, theirs in ((1.783, 1.803), (1.785, 1.803)):
        views.run(ours, "pair", "ok", "candidate", "c9", parent=win, tests=win)
        views.run(theirs, "pair", "ok", "champion", "c1", parent=5, tests=win)
    views.verdict(win, "confirmed", 5, gain=0.019, low=0.01, high=0.028, pairs=2, sigma=0.005, dof=6)
    views.crown(win, 1.78, 0.019)
    standing = views.report().sections[0].standing
    assert standing is not None
    assert standing.gain == pytest.approx(1.873 - 1.784, abs=1e-9)
    # t(0.025, 6) = 2.4469; 2 fresh runs of the champion, 6 of the baseline
    half = 2.4469 * 0.005 * (1 / 2 + 1 / 6) ** 0.5
    assert standing.high == pytest.approx(standing.gain + half, abs=1e-6)


def test_nothing_won_is_said_plainly(views: Views) -> None:
    views.campaign("night")
    base = [views.run(v, "baseline", "ok", "baseline", "c0") for v in (1.0, 1.01, 0.99, 1.0)]
    idea = views.run(1.0, description="idea", commit="c1", parent=base[0])
    views.verdict(idea, "discard", base[0], screen_gain=0.001, sigma=0.008, dof=3)
    text = views.report().headline
    assert text.startswith("Nothing beat the baseline, which stands at 1.000 bits per byte.")
    assert "run 5, looked 0.0010 better (0.1 sigma): not more than noise" in text


def test_third_split_is_shown_and_a_disagreement_becomes_the_first_decision(views: Views, tmp_path: Path) -> None:
    fill_night(views)
    assert "It agrees: 0.0710 better there too." in views.report().sections[0].third_split
    (tmp_path / "other").mkdir()
    other = Views(tmp_path / "other")
    fill_night(other, third_split=1.899)
    section = other.report().sections[0]
    assert "It disagrees: there the champion is 0.0060 worse" in section.third_split
    assert section.queue[0].title == "Decide whether run 5 stays champion"
    assert "confirmed by 2 fresh pairs. The third split disagrees." in other.report().headline


def test_verdicts_come_confirmed_first_and_a_single_run_has_no_interval(views: Views) -> None:
    fill_night(views)
    rows = views.report().sections[0].verdicts
    assert [row.decision for row in rows] == ["confirmed", "inconclusive", "discard", "discard"]
    assert rows[0].sigmas == pytest.approx(14)
    assert (rows[2].gain, rows[2].low, rows[2].pairs) == (-0.0005, None, 0)


def test_lessons_use_careful_words_and_cite_runs(views: Views) -> None:
    fill_night(views)
    section = views.report().sections[0]
    told = {lesson.knob: (lesson.outcome, lesson.evidence, lesson.runs) for lesson in section.lessons}
    assert told["LR"] == ("helped", "0.003 → 0.006 (+0.0700, 2 pairs, #5)", (5,))
    assert told["WARMUP"][0] == "no visible effect"
    assert told["DEPTH"][0] == "hurt"
    assert told["BETA2"][0] == "unresolved"
    assert "“No visible effect” is not “no effect”" in section.lessons_remark


def test_settings_show_only_what_differs(views: Views) -> None:
    fill_night(views)
    [row] = views.report().sections[0].settings
    assert (row.knob, row.baseline, row.champion) == ("LR", "0.003", "0.006")


def test_the_queue_counts_the_pairs_that_would_settle_and_has_commands_that_can_be_typed(views: Views) -> None:
    fill_night(views)
    queue = views.report().sections[0].queue
    [retest] = [item for item in queue if item.title.startswith("Re-test run 12")]
    assert re.search(r"about \d+ fresh pairs would show it 8 times in 10", retest.why)
    assert any(item.title == "Go further with LR: try 0.012" for item in queue)
    [mend] = [item for item in queue if item.title.startswith("Mend 2 × crash")]
    assert mend.command.startswith('memex sql "select number')
    text = mend.command.removeprefix('memex sql "').removesuffix('"')
    assert [row[0] for row in views.db.execute(text)] == [13, 14]


def test_failures_of_one_cause_are_one_group(views: Views) -> None:
    fill_night(views)
    [failure] = views.report().sections[0].failures
    assert failure.runs == (13, 14)
    assert failure.cause == "MemoryError: N MB at ADDRESS"


def test_costs_name_time_money_and_what_was_refused(views: Views) -> None:
    fill_night(views)
    views.name = "night"
    views.run(1.9, status="discard", usd=0.25, self_reported=True)
    views.run(None, status="blocked", error="the same as run 5", seconds=0)
    views.entry("call", {"usd": 0.5, "tokens_in": 900, "tokens_out": 100})
    report = views.report()
    costs = dict(report.sections[0].costs)
    assert costs["Money"] == "$0.25"
    assert costs["Refused before they ran"] == "1 run (#18)"
    assert dict(report.costs)["Model calls"] == "1, 1,000 tokens, $0.50"
    assert any("printed its own metric" in text for text in report.sections[0].warnings)
    assert "files and use the network" in costs["Isolation of the runs"]


def test_runs_side_by_side_count_once(views: Views) -> None:
    views.campaign("night")
    for _ in range(2):
        views.run(1.0, seconds=60)
        views.at -= timedelta(seconds=60)
    assert busy_seconds(read_logbook(views.db, "night").runs) == pytest.approx(60)


# --- logs without repeats


def test_a_log_without_repeats_is_weighed_by_its_seed_change(views: Views) -> None:
    fill_mar8(views)
    book = read_logbook(views.db, "mar8")
    assert book.noise is None
    assert book.seed_shift is not None
    assert book.seed_shift.shift == pytest.approx(0.000695, abs=1e-9)
    assert book.seed_shift.runs == ((14, 15),)
    # The same count, straight from the file.
    with MAR8.open(newline="") as file:
        kept = [float(row["val_bpb"]) for row in csv.DictReader(file, delimiter="\t") if row["status"] == "keep"]
    small = sum(before - after < 0.973799 - 0.973104 for before, after in pairwise(kept))
    assert (small, len(kept) - 1) == (14, 22)
    section = views.report().sections[0]
    assert section.kept_remark == (
        "14 of the 22 keeps after the baseline improved by less than 0.0007, what a change of the seed alone did in "
        "the same log; 8 improved by more. (One pair is a weak estimate.)"
    )
    assert "14 of the 22 keeps gained less than that" in section.headline
    assert "not verified" in section.headline
    assert sum(bool(row.within_noise) for row in section.kept) == 14


def test_settings_that_differ_in_nothing_but_the_seed_are_a_seed_change(views: Views) -> None:
    views.campaign("log", origin="log")
    first = views.run(1.0, status="keep", settings={"lr": 1, "random_seed": 1})
    views.run(1.02, status="discard", description="again", parent=first, settings={"lr": 1, "random_seed": 2})
    views.run(1.5, status="discard", description="lr, seed", parent=first, settings={"lr": 2, "random_seed": 2})
    seed = read_logbook(views.db, "log").seed_shift
    assert seed is not None
    assert seed.pairs == 1
    assert seed.shift == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("description", "is_seed"),
    [
        ("random seed 42->137", True),
        ("seed: 1 → 2", True),
        ("different seed", True),
        ("seed 7 (noise check)", True),
        ("seeded embedding init", False),
        ("random seed 42 to 137 and lr 0.1", False),
        ("reseed the corpus", False),
    ],
)
def test_which_descriptions_are_a_seed_change(views: Views, description: str, is_seed: bool) -> None:
    views.campaign("log", origin="import")
    views.run(1.0, status="keep", description="baseline")
    views.run(1.01, status="discard", description=description)
    assert (read_logbook(views.db, "log").seed_shift is not None) == is_seed


def test_unknown_noise_is_called_unknown(views: Views) -> None:
    views.campaign("log", origin="import")
    views.run(1.0, status="keep", description="baseline")
    run = views.run(0.9, status="keep", description="bigger")
    views.crown(run, 0.9, 0.1)
    section = views.report().sections[0]
    assert section.noise.startswith("Noise: unknown.")
    assert "no telling how much is luck" in section.headline


def test_a_metric_that_never_moves_is_said_to_say_nothing(views: Views) -> None:
    views.campaign("log", origin="import", metric="score")
    for i in range(5):
        views.run(0.0, status="discard", description=f"idea {i}")
    section = views.report().sections[0]
    assert section.headline == "score is 0 in all 5 measured runs, so it cannot say which idea was better."
    assert section.lessons == ()
    assert section.tiles[0].value == "5"


def test_a_log_without_a_baseline_does_not_make_one_up(views: Views) -> None:
    views.campaign("sweep", origin="import")
    for value in (1.5, 1.4, 1.6):
        views.run(value, status="ok")
    section = views.report().sections[0]
    assert section.headline == (
        "No kept run is better than the first one, 1.5 bits per byte (#1). The closest, run 2, looked 0.1 better: "
        "noise unknown."
    )
    assert [point.mark for point in section.chart.points] == ["discard"] * 3
    assert [(lesson.outcome, lesson.knob) for lesson in section.lessons] == [
        ("looked better", "run 2"),
        ("hurt", "run 3"),
    ]


# --- edges


def test_an_empty_lab_says_what_to_type(views: Views) -> None:
    report = views.report()
    assert report.headline == "Nothing has been measured yet."
    for text in (to_markdown(report), to_html(report)):
        assert "memex run --runs 8" in text
    assert to_png(report).startswith(b"\x89PNG")


def test_since_bounds_what_is_new_but_not_what_it_is_compared_with(views: Views) -> None:
    fill_night(views)
    [cut] = views.db.execute("SELECT at FROM runs WHERE number = 12").fetchone()
    section = views.report(since=cut).sections[0]
    assert section.counts == "New: 3 ideas tried in 1 min 40 s: 0 confirmed, 1 unresolved, 2 failed."
    assert [row.number for row in section.verdicts] == [12]
    assert section.standing is not None
    assert section.standing.champion == 5
    assert section.chart.new_from == 12
    quiet = views.report(since="2027-01-01T00:00:00+00:00")
    assert (
        quiet.headline == "Nothing was measured since 2027-01-01 00:00 UTC. The last run is from 2026-03-12 01:05 UTC."
    )
    assert not quiet.sections


@pytest.mark.parametrize("at", ["2026-03-12T01:00:00Z", "2026-03-12T01:00:00.000001+00:00", "2026-03-12 01:00:00"])
def test_instants_compare_whatever_their_precision(at: str) -> None:
    assert is_since(at, "2026-03-12T01:00:00+00:00")
    assert not is_since(at, "2026-03-12T01:00:00.000002+00:00")


def test_several_campaigns_have_a_section_each_newest_first(views: Views) -> None:
    fill_night(views)
    views.campaign("second", unit="ms")
    views.run(None, "baseline", "crash", "baseline", error="no such file")
    report = views.report()
    assert [section.campaign for section in report.sections] == ["second", "night"]
    assert report.headline == "Nothing could be measured: 1 run failed. 1 other campaign below."
    assert [s.campaign for s in views.report(campaign="night").sections] == ["night"]


def test_a_damaged_ledger_is_the_first_thing_said(views: Views) -> None:
    fill_night(views)
    views.db.execute("INSERT INTO damage VALUES ('0000.jsonl:7', 'crc', 'error', 'checksum differs', 'memex doctor')")
    report = views.report()
    assert "The ledger is damaged" in report.warnings[0]
    assert to_markdown(report).index("damaged") < to_markdown(report).index("## Campaign")
    assert to_html(report).index("damaged") < to_html(report).index("<svg xmlns")


def test_a_retracted_run_wins_nothing(views: Views) -> None:
    fill_night(views)
    views.verdict(5, "retract", 1)
    views.db.execute("DELETE FROM champions WHERE run = 5")
    views.db.execute("UPDATE champions SET until = NULL")
    section = views.report().sections[0]
    assert section.standing is None
    assert section.headline.startswith("Nothing beat the baseline")
    assert [failure.status for failure in section.failures] == ["crash", "retracted"]


def test_the_same_views_and_the_same_now_give_the_same_bytes(views: Views) -> None:
    fill_night(views)
    first, second = views.report(), views.report()
    assert first == second
    for render in (to_markdown, to_html, to_json):
        assert render(first) == render(second)
    assert to_png(first) == to_png(second)


def test_building_changes_nothing(views: Views) -> None:
    fill_night(views)
    views.db.commit()
    views.db.execute("PRAGMA query_only = 1")
    before = views.db.total_changes
    to_html(views.report())
    assert views.db.total_changes == before


# --- safety


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def fill_nasty(views: Views) -> None:
    views.campaign(NASTY, unit=NASTY, metric=NASTY)
    base = [views.run(v, "baseline", "ok", NASTY, "c0", settings={NASTY: NASTY}) for v in (1.0, 1.01, 0.99, 1.0)]
    views.crown(base[0], 1.0, None)
    win = views.run(0.8, description=NASTY, commit=NASTY, parent=base[0], settings={NASTY: "other"})
    views.change(win, NASTY, NASTY, "2")
    views.verdict(win, "confirmed", base[0], gain=0.2, low=0.1, high=0.3, pairs=2, sigma=0.008, dof=3, audit=1)
    views.crown(win, 0.8, 0.2)
    views.run(None, status="crash", description=NASTY, error=NASTY)
    views.run(None, status="crash", description=NASTY, error=NASTY)
    views.db.execute("INSERT INTO damage VALUES (?, 'r', 'error', ?, ?)", (NASTY, NASTY, NASTY))
    views.campaign("log " + NASTY, origin="import")
    views.run(1.0, status="keep", description=NASTY)
    views.crown(views.run(0.9, status="keep", description=NASTY), 0.9, 0.1)


def test_html_has_no_script_no_handler_and_nothing_remote(views: Views) -> None:
    fill_nasty(views)
    page = to_html(views.report())
    parser = _Tags()
    parser.feed(page)
    names = {tag for tag, _ in parser.tags}
    assert not names & {"script", "iframe", "object", "embed", "link", "img", "a", "form", "base"}
    for _, attributes in parser.tags:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "href", "xlink:href")]
    assert "url(" not in page
    assert "@import" not in page
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", page)
    assert "alert(1)" in page  # shown as text, not swallowed


def test_markdown_keeps_its_tables_and_shows_foreign_text_as_text(views: Views) -> None:
    fill_nasty(views)
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(to_markdown(views.report()))
    inline = [child for token in tokens for child in token.children or []]
    assert not {token.type for token in (*tokens, *inline)} & {
        "html_block",
        "html_inline",
        "link_open",
        "image",
        "em_open",
    }
    columns, cells, tables = 0, 0, 0
    for token in tokens:
        if token.type == "thead_open":
            columns, tables = 0, tables + 1
        elif token.type == "th_open":
            columns += 1
        elif token.type == "tr_open":
            cells = 0
        elif token.type == "td_open":
            cells += 1
        elif token.type == "tr_close" and cells:
            assert cells == columns
    assert tables >= 4
    assert "<script>alert(1)</script> | a b" in "".join(t.content for t in inline if t.type in ("text", "text_special"))


def test_json_is_json_even_where_values_are_not_finite(views: Views) -> None:
    views.campaign("odd")
    views.run(float("inf"), description="diverged")
    views.run(1.0, description="fine")
    data = json.loads(to_json(views.report()), parse_constant=lambda name: pytest.fail(name))
    assert [point["value"] for point in data["sections"][0]["chart"]["points"]] == [None, 1.0]


def test_a_page_of_many_long_campaigns_stays_small(views: Views) -> None:
    for campaign in range(9):
        views.campaign(f"campaign {campaign}", origin="import")
        for i in range(700):
            value = None if i % 40 == 7 else 1 - i / 9000 + (i * 7919 % 101) / 900
            status = "crash" if value is None else "keep" if i % 9 == 0 else "discard"
            text = f"set option_{i} to {i * 13 % 97}, described at some length"
            run = views.run(value, status=status, description=text, error=f"boom {i}")
            if i == 0:
                views.crown(run, 1.0, None)
    page = to_html(views.report())
    assert len(page.encode()) < 300_000
    assert page.count("<section>") == 9
    assert "<svg xmlns" in page


# --- words


def test_durations_numbers_and_commands_read_well() -> None:
    assert [duration(s) for s in (0.5, 41, 59.7, 60, 250, 3600, 25_920, 273_600)] == [
        "0.5 s", "41 s", "59 s", "1 min", "4 min 10 s", "1 h", "7 h 12 min", "3 d 4 h",
    ]  # fmt: skip
    amounts = Amounts.of("bits per byte", 0.0054)
    assert (amounts.with_unit(1.80312), amounts.signed(0.0702), amounts.signed(-0.0004)) == (
        "1.803 bits per byte", "+0.0702", "−0.0004",
    )  # fmt: skip
    assert amounts.signed(-0.00001) == "0.0000"
    assert run_numbers(list(range(1, 12)), 3) == "#1, #2, #3 and 8 more"
    assert command("memex", "sql", "select 'a'") == "memex sql \"select 'a'\""
    assert command("memex", "run", "$(rm -rf x)") == "memex run '$(rm -rf x)'"


def test_foreign_text_becomes_one_visible_line() -> None:
    assert clean("a\n\tb\x00c\u202ed\ud800") == "a b c d"
    assert clean("x" * 300, 10) == "x" * 9 + "…"
