"""A repository that exists becomes a lab: what is guessed from its files, and that its own Python runs in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from memexlab import Lab
from memexlab.commands.init_here import init_here, look_at
from memexlab.commands.run import Options, run_night
from memexlab.commands.try_edit import Tried as TriedOnce
from memexlab.commands.try_edit import _nearer
from memexlab.config import load
from memexlab.lab.execution.engine import run_environment
from memexlab.lab.execution.interpreters import located
from memexlab.lab.execution.measure import _walled
from memexlab.lab.execution.metrics import why_missing
from memexlab.lab.execution.streams import visible_cards
from memexlab.ledger import UsageError
from memexlab.memory import Memory

from .toy import make_toy

TRAIN = 'import os\nLR = 0.1\nprint(f"train_loss: {LR}")\nprint(f"val_accuracy: {LR}")\n'


def environment(folder: Path) -> Path:
    """A virtual environment without any package, made as the standard library makes them."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder / "bin" / "python"


def commit(folder: Path, message: str) -> None:
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
    said = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", message]
    subprocess.run(said, cwd=folder, check=True)


def test_what_the_files_show_is_written_into_the_contract(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "prepare.py").write_text("def evaluate_bpb():\n    return 1.0\n")
    (tmp_path / "helpers.py").write_text("")
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    init_here(tmp_path)
    contract = load(tmp_path).contract
    assert contract is not None
    assert contract.edit == ("train.py",)
    assert contract.lock == ("prepare.py",)
    assert contract.run == ".venv/bin/python train.py"
    assert (contract.metric.name, contract.metric.better) == ("val_accuracy", "higher")


def test_a_program_that_scores_what_another_leaves_is_the_evaluator(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text('np.savez("out/model.npz", w=w)\nprint(f"train_loss: {x}")\n')
    (tmp_path / "evaluate.py").write_text('m = np.load("out/model.npz")\nprint(f"val_loss: {x}")\n')
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    assert "evaluate.py prints val_loss" in str(init_here(tmp_path))
    contract = load(tmp_path).contract
    assert contract is not None
    assert (contract.artifact, contract.evaluate) == ("out/model.npz", ".venv/bin/python evaluate.py")
    assert contract.metric.name == "val_loss"
    (tmp_path / "train.py").write_text('import evaluate\nnp.savez("out/model.npz", w=w)\n')
    assert look_at(tmp_path).scorer == ""  # the script calls it itself


@pytest.mark.parametrize(
    ("text", "metric", "better"),
    [
        ('print("val_bpb:", x)', "val_bpb", "lower"),
        ('print(f"loss: {x}")\nprint(f"test_f1={y}")', "test_f1", "higher"),
        ('print({"eval_loss": x})', "eval_loss", "lower"),
        ('print("done")', "", "lower"),
    ],
)
def test_the_metric_is_the_one_that_is_printed_last_and_measured_outside(
    tmp_path: Path, text: str, metric: str, better: str
) -> None:
    (tmp_path / "main.py").write_text(text)
    seen = look_at(tmp_path)
    assert (seen.script, seen.metric, seen.better) == ("main.py", metric, better)


def test_a_program_that_the_checkout_lacks_is_the_labs_own_and_its_environment_is_seen(tmp_path: Path) -> None:
    lab, checkout = tmp_path / "lab", tmp_path / "checkout"
    checkout.mkdir()
    python = environment(lab / ".venv")
    words, seen = located([".venv/bin/python", "train.py"], lab, checkout)
    assert words == [str(python), "train.py"]
    assert seen == [str(lab / ".venv"), str(python.resolve().parent.parent)]
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").touch()
    assert located([".venv/bin/python"], lab, checkout) == ([".venv/bin/python"], [])
    assert located(["nothing-of-that-name"], lab, checkout) == (["nothing-of-that-name"], [])


@pytest.mark.slow
def test_a_run_uses_the_labs_own_python_and_doctor_says_what_that_one_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = environment(tmp_path / ".venv")
    site = next((tmp_path / ".venv" / "lib").glob("python3*")) / "site-packages"
    (site / "only_here.py").write_text("VALUE = 0.5\n")
    (tmp_path / "train.py").write_text("import only_here, os\nLR = 0.1\nprint('val_loss:', only_here.VALUE + LR)\n")
    (tmp_path / ".gitignore").write_text(".venv\n")
    monkeypatch.chdir(tmp_path)
    Lab.init(tmp_path, here=True)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    commit(tmp_path, "a lab")
    lab = Lab.open(tmp_path)
    assert f"program    {python}" in lab.doctor().checks
    lab.run(runs=1, seconds=2)
    assert [status for _, status in candidates(tmp_path)] != []
    assert "crash" not in [status for _, status in candidates(tmp_path)]
    (site / "only_here.py").unlink()
    assert [f.message for f in lab.doctor().findings if f.rule == "target-import"] == [
        f"{python} has no only_here, which the target imports"
    ]


def test_a_metric_in_the_midst_of_a_line_is_shown_and_not_read() -> None:
    log = "epoch 1 val_loss 0.3\nepoch 2 val_loss 0.2\nmy_val_loss 9\n"
    assert "'epoch 2 val_loss 0.2', but val_loss wants a line of its own" in why_missing(log, "val_loss")
    assert why_missing(log, "loss") == ""
    assert why_missing("val_loss: nan\n", "val_loss") == "it printed 'val_loss: nan': the training diverged"
    assert "val/loss: 0.5; is that what [metric] name" in why_missing("val/loss: 0.5\n", "val_loss")


def test_cards_are_those_the_environment_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0, 2")
    assert visible_cards() == ("0", "2")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_cards() == ()


def test_a_run_gets_threads_for_its_processors_unless_the_contract_passes_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run_environment({}, threads=3)["OMP_NUM_THREADS"] == "3"
    assert run_environment({})["MKL_NUM_THREADS"] == "1"
    monkeypatch.setitem(os.environ, "OMP_NUM_THREADS", "7")
    assert run_environment({}, ("OMP_NUM_THREADS",), 3)["OMP_NUM_THREADS"] == "7"


def events_of(root: Path, runs: int) -> list[str]:
    memory, told = Memory(root / ".memex"), list[str]()
    try:
        run_night(root, memory, lambda event: told.append(event.text), runs, None, Options(streams=1), "human:t")
    finally:
        memory.close()
    return told


def candidates(root: Path) -> list[tuple[str, str]]:
    memory = Memory(root / ".memex")
    try:
        query = "SELECT description, status FROM runs WHERE role = 'candidate' ORDER BY number"
        return memory.db.execute(query).fetchall()
    finally:
        memory.close()


@pytest.mark.slow
def test_a_program_without_noise_is_judged_by_what_it_gives_and_the_person_is_told_of_the_seed(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab", noise=0.0)
    source = (root / "train.py").read_text()
    (root / "train.py").write_text(source.replace('int(os.environ.get("MEMEX_SEED", "0"))', "0"))
    commit(root, "a fixed seed")
    told = events_of(root, 3)
    assert any("to the last digit" in text and 'os.environ.get("MEMEX_SEED", 0)' in text for text in told)
    assert "keep" in {status for _, status in candidates(root)}
    assert "it may be one seed's luck" in str(Lab(root).ask("is the win real?"))


@pytest.mark.slow
def test_what_the_person_committed_between_two_nights_is_measured_first_and_once(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab")
    events_of(root, 1)
    source = (root / "train.py").read_text()
    (root / "train.py").write_text(source.replace("MOMENTUM = 0.9 ", "MOMENTUM = 0.8 "))
    commit(root, "less momentum")
    told = events_of(root, 1)
    assert "Your commits changed what was measured: that is the first idea." in told
    named = [description for description, _ in candidates(root) if "less momentum" in description]
    assert len(named) == 1
    assert "first idea" not in " ".join(events_of(root, 1))


@pytest.mark.slow
def test_where_every_idea_loses_by_far_the_baseline_is_measured_again(tmp_path: Path) -> None:
    root = make_toy(tmp_path / "lab", noise=0.0001)
    source = (root / "train.py").read_text()
    for before, at_best in (("RATE = 0.001", "RATE = 0.004"), ("WIDTH = 32", "WIDTH = 64"), ('"gelu"', '"relu"')):
        source = source.replace(before, at_best, 1)
    (root / "train.py").write_text(source)
    commit(root, "nothing is left to gain")
    told = events_of(root, 5)
    assert sum("The baseline is measured 4 times more" in text for text in told) == 1
    memory = Memory(root / ".memex")
    try:
        assert memory.db.execute("SELECT count(*) FROM runs WHERE role = 'baseline'").fetchone() == (8,)
    finally:
        memory.close()


def test_what_the_walls_hide_is_named_with_what_can_be_typed(tmp_path: Path) -> None:
    hidden = tmp_path / "x.txt"
    assert _walled(f"No such file or directory: '{hidden}'") == ""
    hidden.touch()
    assert f'[target] read = ["{tmp_path}"]' in _walled(f"No such file or directory: '{hidden}'")
    assert "no network" in _walled("Temporary failure in name resolution")
    assert "torch is not there" in _walled("ModuleNotFoundError: No module named 'torch'")


def test_a_text_is_of_what_it_differs_from_in_fewer_lines() -> None:
    head, commit_text = "a\nb\nc\nd\n", "a\nx\ny\nz\n"
    assert _nearer("a\nb\nc\nD\n", head, commit_text)
    assert not _nearer("a\nx\ny\nZ\n", head, commit_text)


@pytest.mark.parametrize(("status", "code"), [("keep", 0), ("discard", 0), ("blocked", 1), ("crash", 2), ("lost", 3)])
def test_a_script_that_tries_a_change_can_tell_whether_it_was_measured(status: str, code: int) -> None:
    assert TriedOnce("c", 7, status, None, "", "", "", "").exit_code == code


def test_a_folder_of_notes_becomes_a_lab_and_stays_as_it_is(tmp_path: Path) -> None:
    vault = tmp_path / "My Notes"
    (vault / "Daily").mkdir(parents=True)
    (vault / "Bread.md").write_text("# Bread\n\nBread is a food made of flour.\n")
    (vault / "Daily" / "2024-05-01.md").write_text("Baked [[Bread]].\n")
    before = {path: path.read_bytes() for path in vault.rglob("*") if path.is_file()}
    started = Lab.init(vault, target="none", here=True)
    assert "memex ingest ." in str(started)
    assert load(vault).name == "My-Notes"
    assert load(vault).contract is None
    assert {path.name for path in vault.iterdir()} == {"Bread.md", "Daily", "memex.toml", "schema.md", ".memex"}
    Lab(vault).ingest([vault])
    assert "a food made of flour" in (vault / "wiki" / "bread.md").read_text()
    assert {path: path.read_bytes() for path in before} == before
    with pytest.raises(UsageError, match="is a lab already"):
        Lab.init(vault, target="none")
