"""The briefing: what it says, that every line cites a run, that its bound holds by a real tokenizer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memexlab import Lab
from memexlab.commands.init import init_lab
from memexlab.lab.evidence.briefing import Briefing, briefing
from memexlab.ledger import UsageError
from memexlab.tokens import estimate_tokens

from .planted_lab import PlantedLab, number_of

MAR8 = Path(__file__).parent / "data" / "logs" / "mar8.results.tsv"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    root = tmp_path_factory.mktemp("briefing") / "lab"
    init_lab(root, "none")
    lab = Lab(root)
    lab.import_(MAR8, campaign="mar8")
    return lab


def brief(lab: Lab, tokens: int) -> Briefing:
    return briefing(lab.memory.db, "mar8", tokens)


def bullets(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("- ")]


def test_it_names_the_champion_the_noise_and_what_led_there(lab: Lab) -> None:
    text = brief(lab, 3000).text
    assert "Champion: #119 warmdown 0.7 to 0.75: 0.969686 bits per byte, 0.0282 better than the baseline #1" in text
    assert "Noise: unknown" in text
    assert "- warmdown 0.7 to 0.75: +0.000266 in one run [#119]" in text


def test_every_line_cites_a_run_that_exists(lab: Lab) -> None:
    text = brief(lab, 3000).text
    settings, rest = text.partition("## Settings of the champion")[2].split("\n##", 1)
    lines = [line for line in bullets(text) if line not in settings]
    assert "warmdown = 0.75" in settings
    assert rest
    known = {row[0] for row in lab.memory.db.execute("SELECT number FROM runs")}
    assert len(lines) > 30
    for line in lines:
        cited = {int(number) for number in re.findall(r"#(\d+)", line)}
        assert cited, line
        assert cited <= known, line


def test_a_loss_is_scoped_to_the_settings_it_was_measured_under(lab: Lab) -> None:
    [line] = [line for line in bullets(brief(lab, 3000).text) if line.startswith("- matrix_lr 0.04 -> 0.045")]
    assert "under warmdown = 0.7" in line


def test_a_gain_that_faded_is_not_said_to_hold_under_the_settings_of_its_last_run(tmp_path: Path) -> None:
    planted = PlantedLab(tmp_path)
    base = planted.base[0]
    first = planted.win(base, gain=0.09, settings={"LR": 0.05})
    wide = planted.win(base, gain=0.2, settings={"WIDTH": 64})
    last = planted.win(wide, gain=0.03, settings={"LR": 0.05})
    planted.win(wide, gain=0.3, settings={"WIDTH": 128})
    text = briefing(planted.memory.db, "toy", 3000).text
    [line] = [line for line in bullets(text) if line.startswith("- LR 0.1 -> 0.05")]
    assert f"#{number_of(last)}, under WIDTH = 64: " in line
    assert "; under" not in line
    assert f"#{number_of(first)}" in line


def test_it_offers_again_only_what_can_be_done_now(lab: Lab) -> None:
    text = brief(lab, 3000).text
    again = text.partition("## Worth another try")[2].partition("##")[0]
    assert "- x0_lambda_init 0.05 -> 0.04" in again
    assert "embedding_lr 0.6 -> 0.8" not in again  # the champion has left 0.6


@pytest.mark.parametrize("bound", [200, 400, 800, 1500, 6000])
def test_the_bound_holds_and_what_is_left_out_is_counted(lab: Lab, bound: int) -> None:
    found = brief(lab, bound)
    assert found.tokens <= bound
    everything = len(bullets(brief(lab, 20_000).text))
    assert len(bullets(found.text)) + found.left_out == everything


def test_a_bound_too_small_for_its_head_is_an_error_with_a_hint(lab: Lab) -> None:
    with pytest.raises(UsageError, match="tokens are too few") as raised:
        brief(lab, 20)
    assert "--tokens" in raised.value.hint


def test_the_same_views_give_the_same_bytes(lab: Lab) -> None:
    first = brief(lab, 900)
    lab.memory.index.rebuild()
    assert brief(lab, 900) == first


def test_an_unknown_campaign_is_an_error(lab: Lab) -> None:
    with pytest.raises(UsageError, match="no campaign"):
        briefing(lab.memory.db, "nowhere", 900)


# --- tokens


def test_the_estimate_is_above_real_tokenizers_on_what_is_written_here(lab: Lab) -> None:
    real = pytest.importorskip("bpe_openai", reason="pip install 'memexlab[tokens]' to compare with o200k and cl100k")
    texts = [brief(lab, 6000).text, *(p.read_text() for p in Path(__file__).parents[1].glob("docs/*.md"))]
    for name in ("o200k_base", "cl100k_base"):
        encoding = real.get_encoding(name)
        for text in texts:
            share = estimate_tokens(text) / len(encoding.encode_ordinary(text))
            assert 1.0 <= share <= 1.5, (name, share, text[:60])


@given(st.text(max_size=200), st.text(max_size=200))
def test_estimates_add_up(one: str, two: str) -> None:
    assert estimate_tokens(one + "\n" + two) <= estimate_tokens(one) + estimate_tokens(two) + 1
    assert estimate_tokens(one) <= len(one.encode())
