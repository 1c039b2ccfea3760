"""The command line as a person meets it: what goes to stdout, what to stderr, and the exit code."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from memexlab import Lab
from memexlab.cli import _parser, main
from memexlab.commands.init import init_lab
from memexlab.faces import COMMANDS
from memexlab.ledger import FileLedger, UsageError

ROOT = Path(__file__).parents[1]


def memex(*args: object, lab: Path | None = None) -> subprocess.CompletedProcess[str]:
    where = ["--lab", str(lab)] if lab else []
    return subprocess.run(
        [sys.executable, "-m", "memexlab", *where, *map(str, args)], capture_output=True, text=True, cwd="/"
    )


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    folder = tmp_path / "lab"
    assert memex("init", folder, "--target", "none").returncode == 0
    return folder


def test_a_lab_may_be_named_like_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init", "log", "--target", "none"]) == 0
    assert main(["--lab", "log", "doctor"]) == 0


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    done = memex("--help")
    assert done.returncode == 0
    for name in COMMANDS:
        assert name in done.stdout
        with pytest.raises(SystemExit) as ended:
            main([name, "--help"])
        assert ended.value.code == 0
        assert f"memex {name}" in capsys.readouterr().out


def test_documentation_is_current() -> None:
    done = subprocess.run([sys.executable, ROOT / "docs" / "make.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def commands_in(path: Path) -> list[list[str]]:
    """Every `memex ...` that a page tells the reader to type, in code blocks and in the text."""
    text = path.read_text(encoding="utf-8")
    found = re.findall(
        r"^(?:\S+ && )*memex ([^\n#]+)", "\n".join(re.findall(r"```\n(.*?)```", text, re.DOTALL)), re.MULTILINE
    )
    found += re.findall(r"`memex ([^`]+)`", text)
    return [shlex.split(part.split(" && ")[0]) for part in found]


@pytest.mark.parametrize("page", ["README.md", "AGENTS.md", "docs/ledger.md", "docs/importing.md"])
def test_what_the_pages_tell_to_type_is_understood(page: str) -> None:
    for words in commands_in(ROOT / page):
        name = next((word for word in words if word in COMMANDS), None)
        assert name, words
        words = ["x" if word == "..." else word for word in words]
        if words == [name] and name in ("log", "import"):
            continue  # named in a sentence, without its arguments
        _parser(name).parse_args(words)


def test_the_pages_hold_commands_at_all() -> None:
    assert len(commands_in(ROOT / "README.md")) >= 10


def test_links_between_the_pages_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "AGENTS.md", *(ROOT / "docs").glob("*.md"), ROOT / "bench" / "README.md"]:
        text = re.sub(r"(?ms)^(`{3,}).*?^\1$", "", page.read_text(encoding="utf-8"))  # an example is no link
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_argument_is_explained() -> None:
    text = (ROOT / "docs" / "commands.md").read_text()
    assert ": None" not in text
    for line in text.splitlines():
        if line.startswith("- `"):
            assert len(line.split(": ", 1)[1]) > 5, line


def test_log_prints_a_durable_id(lab: Path) -> None:
    done = memex(
        "log", "--description", "wider", "--status", "keep", "--metric", "val_bpb=0.97", "--metric", "mfu=41",
        "--set", "width=64", "--set", "act=relu", "--set", "tied=true", "--hypothesis", "width helps", lab=lab,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    entry_id = done.stdout.strip()
    batches = list(FileLedger(lab / ".memex" / "ledger").read())
    assert batches[-1].lines[-1].id == entry_id
    rows = json.loads(memex("sql", "select * from settings order by knob", "--json", lab=lab).stdout)
    assert [(r["knob"], r["value"], r["number"]) for r in rows] == [
        ("act", "relu", None),
        ("tied", "true", None),
        ("width", "64", 64.0),
    ]
    [run] = json.loads(memex("--json", "sql", "select number, value, status, hypothesis from runs", lab=lab).stdout)
    assert run == {"number": 1, "value": 0.97, "status": "keep", "hypothesis": "width helps"}


@pytest.mark.parametrize(
    ("args", "why"),
    [
        (("log", "--description", "x", "--status", "keep", "--metric", "a=nan"), "not a finite number"),
        (("log", "--description", "x", "--status", "keep", "--metric", "a=1e999"), "not a finite number"),
        (("log", "--description", "x", "--status", "keep"), "needs its metric"),
        (("log", "--description", "x", "--status", "keep", "--metric", "a"), "NAME=VALUE"),
        (
            ("log", "--description", "x", "--status", "keep", "--metric", "a=1", "--diff", "/nonexistent"),
            "cannot be read",
        ),
        (("import", "/nonexistent.tsv"), "cannot be read"),
        (("sql", "drop table runs"), "only SELECT"),
        (("sql", "select zzz from runs"), "tables are"),
        (("run",), "no \\[target\\]|names no"),
        (("report", "--campaign", "nope"), "no campaign"),
        (("report", "--since", "yesterdayish"), "no time"),
        (("init", "/usr"), "not empty"),
    ],
)
def test_what_the_person_must_change_exits_with_2_and_a_hint(lab: Path, args: tuple[str, ...], why: str) -> None:
    done = memex(*args, lab=lab)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "hint:" in done.stderr
    assert re.search(why, done.stderr)


def test_a_crash_that_claims_a_metric_is_refused(lab: Path) -> None:
    done = memex("log", "--description", "x", "--status", "crash", "--metric", "a=0", lab=lab)
    assert done.returncode == 1
    assert "not even 0" in done.stderr
    assert (
        memex("sql", "select count(*) from entries where kind = 'run'", "--json", lab=lab).stdout.strip()
        == '[{"count(*)": 0}]'
    )


def test_no_lab_here(tmp_path: Path) -> None:
    done = memex("sql", "select 1", lab=tmp_path)
    assert done.returncode == 2
    assert "memex init" in done.stderr


def test_damage_is_loud_on_every_command(lab: Path) -> None:
    for i in range(5):
        assert (
            memex("log", "--description", f"run {i}", "--status", "keep", "--metric", f"a={i}", lab=lab).returncode == 0
        )
    file = lab / ".memex" / "ledger" / "0001.jsonl"
    data = bytearray(file.read_bytes())
    place = data.index(b"run 2")
    data[place] ^= 1
    file.write_bytes(bytes(data))
    doctor = memex("doctor", lab=lab)
    assert doctor.returncode == 3
    assert "DAMAGE" in doctor.stdout
    assert "ledger-damaged" in doctor.stdout
    rebuilt = memex("rebuild", lab=lab)
    assert rebuilt.returncode == 3
    read = memex("sql", "select description from runs order by number", lab=lab)
    assert read.returncode == 3
    assert "run 1" in read.stdout
    assert "run 2" not in read.stdout
    assert "run 4" in read.stdout
    assert "damaged" in read.stderr


def test_a_blob_that_changed_is_found(lab: Path, tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text("the log")
    memex("log", "--description", "x", "--status", "keep", "--metric", "a=1", "--log", tmp_path / "log.txt", lab=lab)
    [blob] = [path for path in (lab / ".memex" / "blobs").glob("*/*") if path.read_text() == "the log"]
    blob.chmod(0o644)
    blob.write_text("another")
    done = memex("doctor", lab=lab)
    assert done.returncode == 3
    assert "blob-damaged" in done.stdout
    blob.unlink()
    assert "blob-missing" in memex("doctor", lab=lab).stdout


def test_import_counts_every_line_and_adds_nothing_twice(lab: Path, tmp_path: Path) -> None:
    log = tmp_path / "results.tsv"
    head = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"
    rows = [
        "aaaaaaa\t0.99\t40.0\tkeep\tbaseline\n",
        "bbbbbbb\t0.98\t40.0\tkeep\tlr 0.04 -> 0.06\n",
        "ccccccc\t0.000000\t0.0\tcrash\toom\n",
    ]
    log.write_text(head + "".join(rows))
    first = json.loads(memex("import", log, "--campaign", "old", "--json", lab=lab).stdout)
    assert (first["runs"], first["added"], first["lines"]) == (3, 3, {"header": 1, "run": 3})
    assert json.loads(memex("import", log, "--campaign", "old", "--json", lab=lab).stdout)["added"] == 0
    log.write_text(head + "".join(rows) + "ddddddd\t0.97\t40.0\tkeep\tlr 0.06 -> 0.08\n")
    assert json.loads(memex("import", log, "--campaign", "old", "--json", lab=lab).stdout)["added"] == 1
    runs = json.loads(memex("sql", "select number, value, status from runs order by number", "--json", lab=lab).stdout)
    assert [(r["number"], r["value"], r["status"]) for r in runs] == [
        (1, 0.99, "keep"),
        (2, 0.98, "keep"),
        (3, None, "crash"),
        (4, 0.97, "keep"),
    ]
    changes = json.loads(
        memex("sql", "select knob, old, new, direction from changes where origin = 'text'", "--json", lab=lab).stdout
    )
    assert [c["direction"] for c in changes] == ["up", "up"]
    other = memex("import", log, "--campaign", "old", "--better", "higher", lab=lab)
    assert other.returncode == 2
    assert "lower is better" in other.stderr


def test_rebuild_says_the_same(lab: Path) -> None:
    memex("log", "--description", "x", "--status", "keep", "--metric", "a=1", lab=lab)
    first = json.loads(memex("rebuild", "--json", lab=lab).stdout)
    (lab / ".memex" / "index.db").unlink()
    second = json.loads(memex("rebuild", "--json", lab=lab).stdout)
    assert first["logical_hash"] == second["logical_hash"]
    assert first["entries"] == second["entries"] == 2


def test_report_of_an_empty_lab_says_what_to_type(lab: Path) -> None:
    done = memex("report", lab=lab)
    assert done.returncode == 0, done.stderr
    assert "memex" in (lab / "reports" / "latest.md").read_text()


def test_init_writes_the_schema_of_the_wiki_and_a_place_for_sources(tmp_path: Path) -> None:
    init_lab(tmp_path / "lab", "none")
    assert "## source" in (tmp_path / "lab" / "schema.md").read_text()
    assert "memex ingest raw" in (tmp_path / "lab" / "raw" / ".gitkeep").read_text()


def test_init_here_touches_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("LR = 0.1\n")
    assert memex("init", tmp_path, "--here").returncode == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == [".memex", "memex.toml", "train.py"]
    again = memex("init", tmp_path, "--here")
    assert again.returncode == 0
    assert "AGENTS.md" in again.stdout
    assert (tmp_path / "AGENTS.md").read_text().startswith("# Working in this lab")
    assert memex("init", tmp_path, "--here").returncode == 2
    done = memex("run", "--runs", 1, lab=tmp_path)
    assert done.returncode == 2
    assert "git repository" in done.stderr


@pytest.mark.slow
def test_twelve_first_starts_at_once(tmp_path: Path) -> None:
    lab = tmp_path / "lab"
    assert memex("init", lab, "--target", "none").returncode == 0
    for path in (lab / ".memex").rglob("*"):
        if path.is_file():
            path.unlink()
    command = [
        sys.executable,
        "-m",
        "memexlab",
        "--lab",
        str(lab),
        "log",
        "--description",
        "x",
        "--status",
        "keep",
        "--metric",
        "a=1",
    ]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(12)]
    outcomes = [(*process.communicate(), process.returncode) for process in started]
    assert [code for _, _, code in outcomes] == [0] * 12, outcomes
    assert len({out for out, _, _ in outcomes}) == 12
    numbers = json.loads(memex("sql", "select number from runs order by number", "--json", lab=lab).stdout)
    assert [row["number"] for row in numbers] == list(range(1, 13))


def test_main_returns_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lab", "/", "sql", "select 1"]) == 2
    assert "no lab" in capsys.readouterr().err


def test_config_names_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "memex.toml").write_text('[target]\nedti = ["train.py"]\nrun = "x"\n')
    done = memex("run", lab=tmp_path)
    assert done.returncode == 2
    assert "did you mean 'edit'" in done.stderr


def test_a_lab_names_its_own_knobs_and_other_names_fold_again(tmp_path: Path) -> None:
    root = tmp_path / "lab"
    init_lab(root, "none")
    log = tmp_path / "r.tsv"
    log.write_text("commit\tval_bpb\tstatus\tdescription\na1\t1.0\tkeep\tbaseline\nb2\t0.9\tkeep\tzorp factor 2 to 4\n")
    Lab(root).import_(log)
    read = "select knob, old, new from changes"
    assert Lab(root).memory.db.execute(read).fetchall() == [("zorp_factor", "2", "4")]
    with (root / "memex.toml").open("a") as file:
        file.write('\n[aliases]\n"zorp factor" = "zorp"\n')
    assert Lab(root).memory.db.execute(read).fetchall() == [("zorp", "2", "4")]


LOG = "commit\tval_bpb\tstatus\tdescription\na1b2c3d\t1.0\tkeep\tbaseline\nb2c3d4e\t0.9\tkeep\tmatrix LR 0.02 to 0.04\n"


def imported_lab(tmp_path: Path) -> Lab:
    init_lab(tmp_path / "lab", "none")
    (tmp_path / "r.tsv").write_text(LOG)
    lab = Lab(tmp_path / "lab")
    lab.import_(tmp_path / "r.tsv", campaign="mar")
    return lab


def test_a_knob_that_is_not_named_was_not_removed(tmp_path: Path) -> None:
    lab = imported_lab(tmp_path)
    lab.log(description="softcap 15 to 20", status="keep", metric=["val_bpb=0.8"], set_=["softcap=20", "depth=9"])
    lab.log(description="warmdown up", status="discard", metric=["val_bpb=0.85"], set_=["depth=10"])
    changes = lab.memory.db.execute(
        "SELECT r.number, c.knob, c.old, c.new FROM changes c JOIN runs r USING (run) WHERE r.number > 2"
    ).fetchall()
    assert changes == [(3, "softcap", "15", "20"), (4, "depth", "9", "10")]
    assert lab.check("softcap 15 to 20").guard.matches[0].run == 3
    settings = lab.memory.db.execute("SELECT knob, value FROM settings WHERE run = (SELECT max(run) FROM runs)")
    assert dict(settings.fetchall()) == {"depth": "10", "softcap": "20"}


def test_four_repeats_make_the_noise_known_and_belong_to_their_run(tmp_path: Path) -> None:
    lab = imported_lab(tmp_path)
    assert "Noise: unknown" in lab.brief().text
    for value in (0.91, 0.92, 0.9, 0.93):
        lab.log(description="again", status="keep", metric=[f"val_bpb={value}"], repeats=2)
    assert "Noise: sigma 0.013, the scatter of single runs (3 degrees of freedom)" in lab.brief().text
    assert lab.registry().registry.champion.level == pytest.approx(0.915)
    assert lab.memory.db.execute("SELECT count(*) FROM runs WHERE role = 'candidate'").fetchone() == (1,)
    with pytest.raises(UsageError, match="has no run 99 to repeat"):
        lab.log(description="again", status="keep", metric=["val_bpb=1"], repeats=99)


def test_a_run_without_the_metric_of_its_campaign_is_refused(tmp_path: Path) -> None:
    lab = imported_lab(tmp_path)
    with pytest.raises(UsageError, match="campaign mar compares val_bpb"):
        lab.log(description="x", status="keep", metric=["loss=1"])
    with pytest.raises(UsageError, match="description is empty"):
        lab.log(description=" ", status="keep", metric=["val_bpb=1"])


def test_a_file_without_runs_makes_no_campaign(tmp_path: Path) -> None:
    lab = imported_lab(tmp_path)
    (tmp_path / "notes.md").write_text("# notes\n\nNothing measured here.\n")
    with pytest.raises(UsageError, match="holds no run"):
        lab.import_(tmp_path / "notes.md")
    assert lab.memory.db.execute("SELECT campaign FROM campaigns").fetchall() == [("mar",)]


@pytest.mark.parametrize("command", [["init"], ["report", "--folder"]])
def test_a_file_where_a_folder_is_wanted_is_said_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    imported_lab(tmp_path).close()
    (tmp_path / "file").write_text("x")
    assert main(["--lab", str(tmp_path / "lab"), *command, str(tmp_path / "file")]) == 4
    said = capsys.readouterr().err
    assert str(tmp_path / "file") in said
    assert "hint:" in said
