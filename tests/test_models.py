"""Providers against a real server that misbehaves, and the driver: cache, money, budgets; nothing is ever lost."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Generator, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from memexlab.config import load
from memexlab.ledger import OutsideError, UsageError
from memexlab.memory import Memory
from memexlab.models import BudgetSpent, CallFailed, Driver, ModelSettings, Prompt, provider_from

from .model_server import (
    Answer,
    breaks_off_after,
    drips,
    echoes_the_key,
    fails_in_the_stream,
    floods,
    hangs_up,
    knows_no,
    refuses,
    says,
    serving,
    stalls_after,
    whole,
)

ASK = Prompt("What next?", system="Be short.")
PRICED = {"usd_per_mtok_in": 1000.0, "usd_per_mtok_out": 2000.0}


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    memory = Memory(tmp_path / ".memex")
    yield memory
    memory.close()


def driver(memory: Memory, url: str, waits: list[float] | None = None, **more: Any) -> Driver:
    settings = ModelSettings(**{"dial": "endpoint", "name": "m", "base_url": url, "timeout_seconds": 60.0, **more})
    provider = provider_from(settings)
    assert provider is not None
    seen: list[float] = waits if waits is not None else []
    return Driver(memory, provider, settings, wait=seen.append)


def calls(memory: Memory) -> list[tuple[dict[str, Any], str]]:
    """Every call that landed, with the text of its reply."""
    found = []
    for seq, body in memory.db.execute("SELECT seq, body FROM entries WHERE kind = 'call' ORDER BY seq").fetchall():
        entry = memory.index.entry(seq)
        assert entry is not None
        [question] = entry.targets("file")
        assert "What next?" in memory.blobs.get(question).decode()
        [reply] = entry.targets("log")
        found.append((json.loads(body), memory.blobs.get(reply).decode()))
    return found


# --- a good server


def test_a_reply_is_recorded_with_its_tokens_and_money_and_never_paid_twice(memory: Memory) -> None:
    with serving(says("Raise the rate.")) as server:
        asks = driver(memory, server.url, **PRICED)
        assert asks.ask(ASK, "propose") == "Raise the rate."
        assert asks.ask(ASK, "propose") == "Raise the rate."
        assert driver(memory, server.url).ask(ASK, "propose") == "Raise the rate."
        assert len(server.asked) == 1
        assert asks.ask(replace(ASK, system=""), "propose") == "Raise the rate."
        assert len(server.asked) == 2
    [(body, reply), _] = calls(memory)
    assert (body["model"], body["purpose"], body["tokens_in"], body["tokens_out"]) == ("m", "propose", 11, 7)
    assert body["usd"] == pytest.approx((11 * 1000 + 7 * 2000) / 1e6)
    assert body["seconds"] > 0
    assert reply == "Raise the rate."
    assert server.asked[0]["messages"] == [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "What next?"},
    ]
    assert asks.spent().calls == 2
    assert asks.spent().tokens == 36


def test_a_rebuilt_index_still_answers_from_the_ledger(memory: Memory) -> None:
    with serving(says("yes")) as server:
        driver(memory, server.url).ask(ASK, "propose")
        memory.index.rebuild()
        assert driver(memory, server.url).ask(ASK, "propose") == "yes"
        assert len(server.asked) == 1


def test_a_server_that_does_not_stream_is_understood(memory: Memory) -> None:
    said = {"choices": [{"message": {"content": "plain"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 3}}
    with serving(whole(json.dumps(said).encode())) as server:
        assert driver(memory, server.url).ask(ASK, "p") == "plain"


def test_what_a_server_does_not_know_is_left_out_once_and_for_all(memory: Memory) -> None:
    odd = knows_no("response_format", "stream_options", "max_tokens", then=says("fine"))
    with serving(odd) as server:
        asks = driver(memory, server.url)
        assert asks.ask(replace(ASK, schema={"type": "object"}), "p") == "fine"
        assert "response_format" in server.asked[0]
        last = server.asked[-1]
        assert not {"response_format", "stream_options", "max_tokens"} & last.keys()
        assert last["max_completion_tokens"] == 4096
        before = len(server.asked)
        asks.ask(replace(ASK, text="What next? Again.", schema={"type": "object"}), "p")
        assert len(server.asked) == before + 1


# --- a server that misbehaves: what came is recorded, the error says what to do


#: As long as is waited for what never comes; what comes may take its time on a slow machine.
_NEVER, _COMES = 2.0, 60.0
BROKEN: list[tuple[str, Answer, str, str, float]] = [
    ("stalls", stalls_after("half a thou"), "said nothing for", "half a thou", _NEVER),
    ("drips", drips, "was not done in time", "xxxx", _NEVER),
    ("breaks off", breaks_off_after("half"), "broke off", "half", _COMES),
    ("fails in the stream", fails_in_the_stream, "out of memory", "half", _COMES),
    ("floods", floods, "over 8000000 bytes|not done in time", "", _COMES),
    ("is no model", whole(b"<html>Welcome to nginx</html>", "text/html"), "no chat completion: '<html>", "", _COMES),
    ("sends a list", whole(b"[1, 2]"), "no chat completion", "", _COMES),
    ("sends no choices", whole(b'{"choices": []}'), "broke off", "", _COMES),
    ("sends numbers", whole(b'{"choices": [{"message": {"content": 4}}]}'), "failed while it wrote", "", _COMES),
    ("nests deeply", whole(b"[" * 200_000), "no chat completion", "", _COMES),
]


@pytest.mark.parametrize(
    ("answer", "message", "part", "seconds"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN]
)
def test_a_broken_reply_is_an_error_that_says_so_and_its_part_is_kept(
    memory: Memory, answer: Answer, message: str, part: str, seconds: float
) -> None:
    with serving(answer) as server, pytest.raises(CallFailed, match=message):
        driver(memory, server.url, retries=0, timeout_seconds=seconds).ask(ASK, "propose")
    [(body, reply)] = calls(memory)
    assert body["purpose"] == "propose (broken off)"
    assert body["tokens_in"] > 0
    assert reply.startswith(part)


def test_a_broken_reply_is_not_given_as_an_answer_later(memory: Memory) -> None:
    waits: list[float] = []
    with serving(breaks_off_after("half"), says("whole")) as server:
        assert driver(memory, server.url, waits).ask(ASK, "p") == "whole"
    assert [reply for _, reply in calls(memory)] == ["half", "whole"]
    assert len(waits) == 1
    assert 0.5 <= waits[0] <= 1.0


@pytest.mark.slow
def test_a_reply_that_outlasts_its_time_is_not_paid_for_again(memory: Memory) -> None:
    with serving(drips) as server:
        with pytest.raises(CallFailed, match="was not done in time"):
            driver(memory, server.url, retries=3, timeout_seconds=_NEVER).ask(ASK, "p")
        assert len(server.asked) == 1


def test_a_rate_limit_is_waited_for_as_long_as_the_server_asks(memory: Memory) -> None:
    waits: list[float] = []
    busy = refuses(429, "slow down", Retry_After="7")
    with serving(busy, refuses(503, "starting"), hangs_up, says("at last")) as server:
        assert driver(memory, server.url, waits).ask(ASK, "p") == "at last"
    assert waits[0] == 7
    assert 1.0 <= waits[1] <= 2.0
    assert 2.0 <= waits[2] <= 4.0
    assert len(calls(memory)) == 1


def test_an_endless_rate_limit_gives_up_and_an_hour_is_not_waited_for(memory: Memory) -> None:
    waits: list[float] = []
    with serving(refuses(429, "slow down")) as server:
        with pytest.raises(CallFailed, match="answered 429: slow down"):
            driver(memory, server.url, waits, retries=3).ask(ASK, "p")
        assert len(server.asked) == 4
    assert len(waits) == 3
    tomorrow = refuses(429, "come back later", Retry_After="3600")
    with serving(tomorrow) as server, pytest.raises(CallFailed, match="come back later"):
        driver(memory, server.url, waits).ask(ASK, "p")
    assert len(waits) == 3
    assert calls(memory) == []


def test_nobody_listens(memory: Memory) -> None:
    with socket.socket() as free:  # held, so that nobody else is given the port meanwhile
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        waits: list[float] = []
        with pytest.raises(CallFailed, match="Connection refused") as caught:
            driver(memory, url, waits, retries=2).ask(ASK, "p")
    assert caught.value.exit_code == 3
    assert len(waits) == 2


def test_a_wrong_address_is_not_tried_again(memory: Memory) -> None:
    with serving(refuses(404, "no such model")) as server:
        with pytest.raises(CallFailed, match="mend base_url, name"):
            driver(memory, server.url).ask(ASK, "p")
        assert len(server.asked) == 1


def test_a_truncated_reply_is_recorded_and_returned_as_it_is(memory: Memory) -> None:
    with serving(says('{"proposals": [{"hypo', finish="length")) as server:
        assert driver(memory, server.url).ask(ASK, "p") == '{"proposals": [{"hypo'
    assert len(calls(memory)) == 1


@pytest.mark.parametrize("tokens", [(-5, -9), (0, 0), (1, 1), (True, "9"), (None, 4.5), (10**15, 10**15)])
def test_token_counts_that_cannot_be_are_replaced_by_our_own(memory: Memory, tokens: tuple[Any, Any]) -> None:
    with serving(says("Four words, no more. " * 20, tokens=tokens, model="another-model")) as server:
        driver(memory, server.url, **PRICED).ask(ASK, "p")
    [(body, _)] = calls(memory)
    assert body["model"] == "m"
    assert 10 < body["tokens_in"] < 200
    assert 60 < body["tokens_out"] < 300
    assert body["usd"] == pytest.approx((body["tokens_in"] * 1000 + body["tokens_out"] * 2000) / 1e6)


def test_text_that_is_no_unicode_is_stored_and_read_back_the_same(memory: Memory) -> None:
    data = b'{"choices": [{"message": {"content": "a\\ud800b"}, "finish_reason": "stop"}]}'
    with serving(whole(data)) as server:
        first = driver(memory, server.url).ask(ASK, "p")
        assert driver(memory, server.url).ask(ASK, "p") == first == "a?b"
        assert len(server.asked) == 1


# --- the key


def test_a_key_is_sent_and_is_in_no_message_and_in_no_file(
    memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-canary-123456")
    with serving(says("ok"), echoes_the_key) as server:
        asks = driver(memory, server.url, key_env="MY_KEY")
        asks.ask(ASK, "p")
        with pytest.raises(CallFailed, match=r"you sent Bearer \[key\]") as caught:
            asks.ask(replace(ASK, text="What next? And then?"), "p")
        assert server.keys == ["Bearer sk-canary-123456"] * 2
    assert "canary" not in str(caught.value)
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or b"canary" not in file.read_bytes(), file


def test_a_key_that_is_not_set_is_said_before_anything_is_sent(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_KEY", raising=False)
    with serving(says("ok")) as server:
        with pytest.raises(UsageError, match="export MY_KEY"):
            driver(memory, server.url, key_env="MY_KEY").ask(ASK, "p")
        assert server.asked == []


# --- budgets


@pytest.mark.parametrize(
    ("budget", "bound"),
    [("budget_usd_night", 20.0), ("budget_usd_lab", 20.0), ("budget_tokens_night", 9000)],
)
def test_a_budget_stops_before_it_is_passed(memory: Memory, budget: str, bound: float) -> None:
    with serving(says("word " * 400, tokens=(100, 4000))) as server:
        asks = driver(memory, server.url, **PRICED, **{budget: bound})
        for number in range(2):
            asks.ask(replace(ASK, text=f"What next? {number}"), "p")
        with pytest.raises(BudgetSpent, match=f"{budget} is {bound:g}"):
            asks.ask(replace(ASK, text="What next? 2"), "p")
        assert len(server.asked) == 2
        spent = asks.spent()
        assert (spent.tokens if "tokens" in budget else spent.usd) <= bound
        # What was answered before costs nothing, so it is answered still.
        assert asks.ask(replace(ASK, text="What next? 0"), "p").startswith("word")


def test_the_budget_of_a_run_is_new_with_every_run_and_that_of_the_lab_is_not(memory: Memory) -> None:
    def two(start: int) -> Generator[Prompt, str, int]:
        yield Prompt(f"What next? {start}")
        yield Prompt(f"What next? {start + 1}")
        return start

    with serving(says("w", tokens=(100, 4000))) as server:
        asks = driver(memory, server.url, **PRICED, budget_usd_run=17.0, budget_usd_lab=40.0)
        assert asks.drive(two(0), "p") == 0
        assert asks.drive(two(2), "p") == 2
        with pytest.raises(BudgetSpent, match="budget_usd_lab"):
            driver(memory, server.url, **PRICED, budget_usd_lab=40.0).drive(two(4), "p")
        with pytest.raises(BudgetSpent, match="budget_usd_run"):
            driver(memory, server.url, **PRICED, budget_usd_run=10.0).drive(two(6), "p")


def test_what_broke_off_is_charged_to_the_budget_too(memory: Memory) -> None:
    with serving(breaks_off_after("word " * 3000)) as server:
        with pytest.raises(BudgetSpent):
            driver(memory, server.url, **PRICED, budget_usd_night=12.0).ask(ASK, "p")
        assert len(server.asked) == 1


def test_a_budget_without_a_price_is_refused(memory: Memory) -> None:
    with pytest.raises(UsageError, match="usd_per_mtok_in"):
        driver(memory, "http://127.0.0.1:9/v1", budget_usd_night=1.0)


def test_an_estimate_is_never_below_the_cost_and_what_is_known_is_free(memory: Memory) -> None:
    prompts = [replace(ASK, text=f"What next? {number}") for number in range(3)]
    with serving(says("short", tokens=(40, 9))) as server:
        asks = driver(memory, server.url, **PRICED)
        before = asks.estimate(prompts)
        assert before.tokens_out == 3 * 4096
        for prompt in prompts:
            asks.ask(prompt, "p")
        assert before.usd > asks.spent().usd > 0
        assert asks.estimate(prompts).usd == 0


# --- a proposer that is driven


def test_an_error_is_thrown_into_the_proposer_which_may_do_without(memory: Memory) -> None:
    def careful() -> Generator[Prompt, str, str]:
        try:
            return (yield ASK)
        except OutsideError as error:
            return f"did without: {str(error).splitlines()[0]}"

    with serving(refuses(404, "gone")) as server:
        said = driver(memory, server.url).drive(careful(), "p")
    assert said.startswith("did without: http://127.0.0.1")


# --- settings, scripted and local


def test_the_dial_is_read_from_the_settings_file(tmp_path: Path) -> None:
    (tmp_path / "memex.toml").write_text('[model]\ndial = "scripted"\nfile = "replies.jsonl"\neffort = "low"\n')
    (tmp_path / "replies.jsonl").write_text('{"reply": "one"}\n')
    settings = load(tmp_path).model
    assert (settings.dial, settings.effort) == ("scripted", "low")
    provider = provider_from(settings)
    assert provider is not None
    assert provider.complete(ASK, max_tokens=1, timeout_seconds=1).text == "one"
    assert provider_from(ModelSettings()) is provider_from(ModelSettings("agent")) is None


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('dial = "cloud"', "cloud"),
        ("timeout_seconds = 0", "timeout_seconds"),
        ("retries = -1", "from 0 up"),
        ("retries = 1.5", "from 0 up"),
        ("budget_usd_lab = nan", "from 0 up"),
        ('base_url = "https://me:secret@host/v1"', "key_env"),
        ('api_key = "sk-1"', "did you mean 'key_env'|known"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "memex.toml").write_text(f"[model]\n{line}\n")
    with pytest.raises(UsageError, match=message):
        load(tmp_path)


@pytest.mark.parametrize("dial", ["endpoint", "local", "scripted"])
def test_a_dial_without_what_it_needs_says_what_to_write(dial: Any) -> None:
    with pytest.raises(UsageError, match=r"= \"...\""):
        provider_from(ModelSettings(dial))


def test_scripted_replies_are_used_in_order_and_end_in_words(memory: Memory, tmp_path: Path) -> None:
    file = tmp_path / "replies.jsonl"
    file.write_text('{"match": "second", "reply": "two"}\n{"reply": "one"}\n')
    settings = ModelSettings("scripted", file=str(file))
    provider = provider_from(settings)
    assert provider is not None
    asks = Driver(memory, provider, settings)
    assert asks.ask(replace(ASK, text="What next? first"), "p") == "one"
    with pytest.raises(OutsideError, match="1 for others are left"):
        asks.ask(replace(ASK, text="What next? third"), "p")
    assert asks.ask(replace(ASK, text="What next? second"), "p") == "two"


@pytest.mark.parametrize("line", ["no json", '{"match": "x"}', '["a"]', '{"match": "(", "reply": "x"}'])
def test_a_scripted_file_that_cannot_be_read_names_the_line(tmp_path: Path, line: str) -> None:
    file = tmp_path / "replies.jsonl"
    file.write_text(f'{{"reply": "fine"}}\n{line}\n')
    with pytest.raises(UsageError, match="line 2 is no reply"):
        provider_from(ModelSettings("scripted", file=str(file)))


#: Qwen2.5-Coder-0.5B-Instruct Q4_K_M. MEMEXLAB_TEST_GGUF names the file.
SMALL_MODEL = "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"


@pytest.mark.slow
def test_a_real_small_model_answers_by_a_schema(memory: Memory) -> None:
    pytest.importorskip("xllamacpp", reason="NOT TESTED: xllamacpp is not installed (pip install 'memexlab[local]')")
    file = Path(os.environ.get("MEMEXLAB_TEST_GGUF", "") or "/nonexistent")
    if not file.is_file() or sha256(file.read_bytes()).hexdigest() != SMALL_MODEL:
        pytest.skip(f"NOT TESTED: MEMEXLAB_TEST_GGUF names no file with SHA-256 {SMALL_MODEL}")
    settings = ModelSettings("local", file=str(file), effort="low")
    provider = provider_from(settings)
    assert provider is not None
    asks = Driver(memory, provider, settings)
    schema = {"type": "object", "properties": {"capital": {"type": "string"}}, "required": ["capital"]}
    prompt = Prompt("What next? Name the capital of France as JSON.", schema)
    assert json.loads(asks.ask(prompt, "p"))["capital"] == "Paris"
    [(body, _)] = calls(memory)
    assert body["tokens_out"] > 0
    assert body["seconds"] > 0


def test_a_model_file_that_is_not_there_is_said(memory: Memory, tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="NOT TESTED: xllamacpp is not installed (pip install 'memexlab[local]')")
    provider = provider_from(ModelSettings("local", file=str(tmp_path / "none.gguf")))
    assert provider is not None
    with pytest.raises(UsageError, match="there is no model file"):
        provider.complete(ASK, max_tokens=1, timeout_seconds=1)
