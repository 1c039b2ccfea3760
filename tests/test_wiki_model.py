"""The wiki with a model: claims and answers through the gates, nothing paid twice, nothing lost when a call fails."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from memexlab.api import Lab
from memexlab.cli import main
from memexlab.ledger import OutsideError
from memexlab.models import Driver, ModelSettings, Prompt, Reply
from memexlab.wiki.drafting import Text, claim_from, sentences_from
from memexlab.wiki.entailment import unsupported
from memexlab.wiki.landing import Worded, compile_by_model
from memexlab.wiki.proposing import OVERLAP_CHARS, PART_CHARS, parts

BRIDGE = """# Kestrel Bridge

The crossing was finished in May 1932 and rises 134 metres over the river. Engineers say that rust is not a danger.

Traffic doubled after the toll ended in 1961.
"""
FERRY = "# Ferry\n\nThe Ferry stopped when Kestrel Bridge was finished. It carried 40 cars on each trip.\n"
GOOD = {
    "subject": "Kestrel Bridge", "sentence": "Kestrel Bridge rises 134 metres over the river.", "since": "",
    "quote": "rises 134 metres over the river", "relation": "height", "value": "134 metres",
}  # fmt: skip
DONE = GOOD | {"sentence": "It was finished in May 1932.", "quote": "The crossing was finished in May 1932",
               "relation": "finished in", "value": "May 1932", "since": "1932-05"}  # fmt: skip


class Clerk:
    """A provider that answers by a function of the prompt and keeps what it was asked."""

    def __init__(self, answer: Callable[[Prompt], Any], name: str = "clerk") -> None:
        self.name, self.answer, self.asked = name, answer, list[Prompt]()

    def complete(self, prompt: Prompt, *, max_tokens: int, timeout_seconds: float) -> Reply:
        self.asked.append(prompt)
        said = self.answer(prompt)
        return Reply(said if isinstance(said, str) else json.dumps(said))


def lab_with(folder: Path, files: dict[str, str]) -> Lab:
    (folder / "raw").mkdir(parents=True)
    (folder / "memex.toml").write_text('[lab]\nname = "test"\n')
    for name, text in files.items():
        (folder / "raw" / name).write_text(text, encoding="utf-8")
    lab = Lab(folder)
    lab.ingest([folder / "raw"])
    return lab


def compiled(lab: Lab, clerk: Clerk) -> Worded:
    return compile_by_model(
        lab.memory, lab.root, [lab.root / "raw"], Driver(lab.memory, clerk, ModelSettings("endpoint"))
    )


def pages(lab: Lab) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((lab.root / "wiki").rglob("*")) if path.is_file()}


def clerk_of(claims: list[Any]) -> Clerk:
    """Claims where they are asked for and the quote stands in the prompt; else an answer that cites its evidence."""

    def answer(prompt: Prompt) -> Any:
        if "claims of this part" in prompt.text:
            return {"claims": [c for c in claims if not isinstance(c, dict) or str(c.get("quote")) in prompt.text]}
        cited = re.findall(r"(?m)^(c[0-9a-f]{10}): (.*?) \(", prompt.text)
        return {"sentences": [{"text": words, "cites": [name]} for name, words in cited[:2]]}

    return Clerk(answer)


def source(text: str) -> Text:
    return Text("e:" + "0" * 32, "b:" + "0" * 64, "raw/bridge.md", "Kestrel Bridge", "Kestrel Bridge", "", text)


def test_claims_and_answers_of_a_model_stand_on_the_page_with_their_lines(tmp_path: Path) -> None:
    lab = lab_with(tmp_path, {"bridge.md": BRIDGE})
    before = pages(lab)
    done = compiled(lab, clerk_of([GOOD, DONE]))
    assert (done.claims, done.dropped) == (2, {})
    assert done.answers >= 1
    page = pages(lab)["kestrel-bridge.md"].decode()
    assert "**Height:** 134 metres" in page
    assert "rises 134 metres over the river” [raw/bridge.md#L3](../raw/bridge.md#L3)" in page
    assert page != before["kestrel-bridge.md"].decode()
    [by] = lab.memory.db.execute("SELECT DISTINCT by FROM entries WHERE key GLOB 'claim:*'").fetchone()
    assert by == "model:clerk"
    assert lab.memory.db.execute("SELECT count(*) FROM entries WHERE kind = 'answer'").fetchone()[0] == done.answers
    lab.close()


def test_a_second_ingest_costs_no_token_and_changes_no_byte(tmp_path: Path) -> None:
    lab = lab_with(tmp_path, {"bridge.md": BRIDGE, "ferry.md": FERRY})
    compiled(lab, clerk_of([GOOD, DONE]))
    before, entries = pages(lab), lab.memory.db.execute("SELECT count(*) FROM entries").fetchone()
    clerk = clerk_of([GOOD, DONE])
    again = compiled(lab, clerk)
    assert (again.claims, again.answers, again.spent, clerk.asked) == (0, 0, (0, 0, 0.0), [])
    assert pages(lab) == before
    assert lab.memory.db.execute("SELECT count(*) FROM entries").fetchone() == entries
    lab.close()


def test_only_the_questions_whose_claims_changed_are_asked_again(tmp_path: Path) -> None:
    lab = lab_with(tmp_path, {"bridge.md": BRIDGE, "ferry.md": FERRY})
    compiled(lab, clerk_of([GOOD, DONE]))
    (lab.root / "raw" / "ferry.md").write_text(FERRY + "\nThe Ferry was painted blue in 1950, as the harbour asked.\n")
    lab.ingest([lab.root / "raw"])
    clerk = clerk_of([GOOD, DONE])
    compiled(lab, clerk)
    assert clerk.asked
    assert all("Ferry" in prompt.text and "rises 134" not in prompt.text for prompt in clerk.asked)
    lab.close()


def test_what_is_refused_goes_back_once_with_the_reason_and_is_then_dropped_and_counted(tmp_path: Path) -> None:
    wrong = GOOD | {
        "quote": "rises 135 metres over the river",
        "sentence": "It rises 135 metres.",
        "value": "135 metres",
    }
    tries: list[str] = []

    def answer(prompt: Prompt) -> Any:
        if "claims of this part" not in prompt.text:
            return {"sentences": []}
        tries.append(prompt.text)
        return {"claims": [wrong, GOOD]} if len(tries) == 1 else {"claims": [wrong]}

    lab = lab_with(tmp_path, {"bridge.md": BRIDGE})
    done = compiled(lab, Clerk(answer))
    assert len(tries) == 2
    assert "this quote is not in raw/bridge.md: 'rises 135 metres" in tries[1]
    assert "copy the words exactly" in tries[1]
    assert (done.claims, done.dropped) == (1, {"quote": 1})
    assert b"135" not in b"".join(pages(lab).values())
    lab.close()


def test_a_call_that_fails_retires_nothing_and_the_rest_is_paid_once(tmp_path: Path) -> None:
    files = {f"note{n}.md": BRIDGE.replace("Kestrel Bridge", f"Bridge Number{n}") for n in range(4)}
    lab = lab_with(tmp_path, files)
    calls = 0

    def failing(prompt: Prompt) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise OutsideError("the world failed")
        return {"claims": [GOOD | {"subject": "river", "sentence": "The river lies 134 metres below."}]}

    clerk = Clerk(failing)
    first = compiled(lab, clerk)
    assert "the world failed" in first.stopped
    assert first.claims == 2
    standing = len(pages(lab))
    second = compiled(lab, clerk)
    assert second.stopped == ""
    assert second.claims == 2
    assert len(pages(lab)) >= standing
    texts = [p.text for p in clerk.asked]
    assert len(texts) == len(set(texts)) + 1  # the one that failed, and no other, was sent twice
    lab.close()


def test_the_estimate_asks_nothing_and_lands_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "bridge.md").write_text(BRIDGE)
    (tmp_path / "replies.jsonl").write_text("")
    (tmp_path / "memex.toml").write_text(
        '[model]\ndial = "scripted"\nfile = "replies.jsonl"\nusd_per_mtok_in = 1.0\nusd_per_mtok_out = 2.0\n'
    )
    raw, lab = str(tmp_path / "raw"), str(tmp_path)
    assert main(["ingest", raw, "--lab", lab, "--model", "--estimate"]) == 0
    out = capsys.readouterr().out
    found = re.search(r"1 questions for claims: at most (\d+) tokens in, 4096 out, ([\d.]+) usd", out)
    assert found is not None, out
    assert float(found[2]) == pytest.approx((int(found[1]) + 2 * 4096) / 1e6, abs=1e-4)
    assert not (tmp_path / "wiki").exists()
    assert not list((tmp_path / ".memex").glob("ledger/*.jsonl"))
    reply = json.dumps({"claims": [GOOD]})
    (tmp_path / "replies.jsonl").write_text(json.dumps({"reply": reply, "match": "claims of this part"}) + "\n")
    assert main(["ingest", raw, "--lab", lab, "--model"]) in (0, 3)
    assert "1 claims and" in capsys.readouterr().out
    assert "**Height:** 134 metres" in (tmp_path / "wiki" / "kestrel-bridge.md").read_text()


def test_removing_a_source_takes_its_claims_and_answers_and_bringing_them_back_brings_the_answer(
    tmp_path: Path,
) -> None:
    lab = lab_with(tmp_path, {"bridge.md": BRIDGE})
    compiled(lab, clerk_of([GOOD, DONE]))
    before = pages(lab)
    (lab.root / "raw" / "more.md").write_text(
        "# More\n\nKestrel Bridge is a crossing that towns paid for, all of it.\n"
    )
    lab.ingest([lab.root / "raw"])
    compiled(lab, clerk_of([GOOD, DONE]))
    assert pages(lab) != before
    (lab.root / "raw" / "more.md").unlink()
    lab.ingest([lab.root / "raw"])
    assert pages(lab) == before
    lab.memory.index.close()
    lab.close()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"quote": "rises 134 meters over the river"}, "quote"),
        ({"sentence": "Kestrel Bridge rises 135 metres over the river."}, "claim-number"),
        ({"sentence": "Kestrel Bridge rises 134 metres over the Thames."}, "claim-name"),
        ({"sentence": "Kestrel Bridge never rises 134 metres over the river."}, "claim-denial"),
        ({"quote": "rust is not a danger", "sentence": "Rust is a danger.", "value": ""}, "claim-denial"),
        ({"value": "140 metres"}, "claim-value"),
        ({"subject": "Harbour Tunnel"}, "claim-subject"),
        ({"subject": "river", "relation": "alias"}, "claim-own"),
        ({"subject": "river", "relation": "superseded by"}, "claim-own"),
        ({"since": "1932-06"}, "claim-date"),
        ({"sentence": "Its auditors praised all budgets, gardens and schools."}, "claim-unsaid"),
        ({"sentence": "The river: https://evil.example/?q=134"}, "claim-markup"),
        ({"sentence": ""}, "claim-empty"),
        ({"sentence": 7}, "claim-shape"),
        ({"sentence": "\ud800"}, "claim-shape"),
        ({"relation": "x" * 70}, "claim-relation"),
        ({"relation": "[[admin]]"}, "claim-relation"),
    ],
)
def test_each_rule_refuses_its_own_defect(change: dict[str, Any], rule: str) -> None:
    assert not hasattr(claim_from(GOOD, source(BRIDGE)), "rule")
    refused = claim_from(GOOD | change, source(BRIDGE))
    assert getattr(refused, "rule", "") == rule
    assert getattr(refused, "hint", "")


def test_a_sentence_stands_only_on_names_of_the_closed_list_that_bear_it() -> None:
    evidence = {"c1": "Kestrel Bridge rises 134 metres over the river.", "c2": "Rust is not a danger."}
    told = [
        {"text": "Kestrel Bridge rises 134 metres.", "cites": ["c1"]},
        {"text": "See [[admin|Kestrel Bridge]], which rises 134 metres.", "cites": ["[c1]"]},
        {"text": "Kestrel Bridge rises 134 metres.", "cites": ["c9"]},
        {"text": "Kestrel Bridge rises 134 metres.", "cites": []},
        {"text": "Kestrel Bridge rises 134 metres.", "cites": ["c2"]},
        {"text": "Rust is a danger.", "cites": ["c2"]},
        {"text": "The evaluation of all models passed.", "cites": ["c1"]},
        "no object",
    ]
    good, wrong = sentences_from(told, evidence, "Kestrel Bridge")
    assert good == [
        ("Kestrel Bridge rises 134 metres.", ("c1",)),
        ("See Kestrel Bridge, which rises 134 metres.", ("c1",)),
    ]
    rules = ["sentence-cites", "sentence-cites", "claim-number", "claim-denial", "claim-unsaid", "sentence-shape"]
    assert [finding.rule for finding in wrong] == rules


@pytest.mark.parametrize(
    ("sentence", "quote", "rule"),
    [
        ("Two crews voted: 2 for, 4 against.", "Two crews voted (4 for, 2 against).", "claim-number"),
        ("Two crews voted: 4 for and 2 against.", "Two crews voted (4 for, 2 against).", ""),
        ("The crossing needs Steel 3.", "The crossing needs Steel 2, 3 or 4.", ""),
        ("The name `wren` is an alias for `heron`.", "``heron`` is now an alias for ``wren``", "claim-swapped"),
        ("The name `heron` is an alias for `wren`.", "``heron`` is now an alias for ``wren``", ""),
        ("Heron Bridge was replaced by Wren Bridge.", "Wren Bridge replaced Heron Bridge in spring", ""),
        ("Wren Bridge was replaced by Heron Bridge.", "Wren Bridge replaced Heron Bridge in spring", "claim-swapped"),
        ("The rails were removed.", "In autumn the rails will be removed.", "claim-strength"),
        ("The rails are to be removed.", "In autumn the rails will be removed.", ""),
        ("The bridge will not be closed.", "The bridge is not expected to be closed.", "claim-strength"),
        ("Ada Carr is the author of the plan.", "Sponsor: Ada Carr", "claim-unsaid"),
        ("Ada Carr is the sponsor of the plan.", "Sponsor: Ada Carr", ""),
        ("Ada rejected the toll plan for its cost.", "In May Ada rejected the rope plan for its cost.", "claim-unsaid"),
        ("In the end Ada rejected the ferry timetable because of its cost.",
         "In the end Ada rejected the rope idea because of its cost.", "claim-unsaid"),
        ("It is unknown whether to bind the rope twice.", "It is unknown if the rope should be bound twice.", ""),
        ("It lacks the second lock of the gate.", "It does not have the suggested second lock of the gate.", ""),
        ("Some guards who know little found the sign misleading.",
         "some guards who aren't steeped in old lore found the sign misleading", ""),
        ("The gate breaks unless it is oiled.", "The gate breaks if it is not oiled.", ""),
        ("A width of 3 is meant where none is named.", "if the width is omitted, then 3 is meant", ""),
        ("Bo Carr contributed the drawing of the crossing.",
         "If a town wants a crossing, it may do so with this drawing, contributed by Bo Carr", ""),
        ("In the end it stands on the hill.", "One plan proposed the valley. In the end it stands on the hill.", ""),
        ("DOCs of the bridge list each bolt.", "Each DOC of the bridge lists each bolt.", ""),
    ],
)  # fmt: skip
def test_a_sentence_says_who_did_what_how_surely_and_when_as_its_quote_does(
    sentence: str, quote: str, rule: str
) -> None:
    found = unsupported(sentence, {"": quote}, "Bridges")
    assert (found.rule if found else "") == rule, found


def test_a_refused_answer_names_its_sentence_the_claim_and_the_word() -> None:
    evidence = {"c1": "The lock is new.", "c2": "The gate may be opened at night."}
    told = [{"text": "The gate is opened at night, and the lock is new.", "cites": ["c1", "c2"]}]
    [wrong] = sentences_from(told, evidence, "Gate")[1]
    assert "'The gate is opened at night" in wrong.message
    assert "the words of c2 say 'may'" in wrong.message
    assert wrong.hint == "keep 'may' or a word as weak"


def test_parts_cover_a_long_text_overlap_and_break_at_headings() -> None:
    text = "".join(f"# Part {n}\n\n" + f"Sentence {n} stands here. " * (40 * (n % 9)) + "\n\n" for n in range(30))
    found = list(parts(text))
    assert found[0][0] == 0
    assert found[-1][1] == len(text)
    assert all(end - start <= PART_CHARS for start, end in found)
    for (_, end), (start, _) in pairwise(found):
        assert start <= end, "nothing lies between two parts"
        assert (start == end and text[start] == "#") or end - start <= 2 * OVERLAP_CHARS
    assert list(parts("x" * 20_000))[-1][1] == 20_000
    assert list(parts("")) == []
