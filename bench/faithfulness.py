"""Whether a perspective keeps to its corpus: the quote gate, who said it, questions off the corpus, points in time.

python bench/faithfulness.py CORPUS PEPS [--write]   (the folder of the Darwin corpus, and one of other people's texts)
"""

from __future__ import annotations

import json
import math
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from memexlab.memory import Memory
from memexlab.partner.asking import ON_CORPUS, answer_from, best
from memexlab.partner.corpus import Corpus, Text, open_corpus, take_in
from memexlab.partner.quote_places import find_in
from memexlab.wiki.quotes import locate

PERSON, PROBES, SEED = "Charles Darwin", 120, 8
#: Longer sources are left out of the probes of the gate, which reads every source it asks character by character.
GATE_CHARS = 1_000_000
RESULT = Path(__file__).parent / "results" / "faithfulness.md"

#: Written before the threshold was chosen; the first twenty chose it, the others were looked at once, afterwards.
QUESTIONS = {
    ("chosen on", "on"): """How does natural selection act on small variations?
What do you think about the origin of the eye?
How do coral reefs and atolls form?
What do earthworms do to the soil?
What is your view of slavery?
Why are male birds more brightly coloured than females?
How does blushing express shame?
What did reading Malthus on population do for you?
Why is the geological record imperfect?
Do dogs have a moral sense or conscience?""",
    ("chosen on", "off"): """What do you think about blockchain and cryptocurrency?
How should I deploy a Kubernetes cluster?
Is quantum mechanics compatible with determinism?
What is the best programming language for beginners?
How does DNA encode proteins?
What do you think of jazz music?
Should central banks raise interest rates during inflation?
How do antibiotics kill bacteria?
What is the offside rule in football?
How do I file a tax return online?""",
    ("held out", "on"): """Why do species become extinct?
What did you observe about finches and tortoises on the Galapagos islands?
How do instincts arise, such as the cell making of the hive bee?
What causes hybrids to be sterile?
Do animals express fear like humans?
How are seeds carried across the ocean?
What do you think of religion and the existence of God?
What happened during the earthquake at Concepcion?
What habits of work helped your success as a man of science?
How do breeders of pigeons produce new races?""",
    ("held out", "off"): """What is your opinion of nuclear power plants?
How do I train a neural network with gradient descent?
Who will win the world cup?
What is the best recipe for sourdough pizza?
How should a startup raise venture capital?
Is general relativity a complete theory of gravity?
What do you think about social media and teenagers?
How does the immune system recognise viruses?
Should we colonise Mars?
What is the role of copyright in software licences?""",
}
#: Darwin's own words, from letters and editions that the corpus does not hold: not false, and not to be vouched for.
ABSENT = (
    "How odd it is that anyone should not see that all observation must be for or against some view",
    "I have called this principle, by which each slight variation, if useful, is preserved, by the term of Natural "
    "Selection, in order to mark its relation to man's power of selection; the expression often used by Mr. Herbert "
    "Spencer of the Survival of the Fittest is more accurate",
    "It is often said that all the conditions for the first production of a living organism are now present",
)


def questions(corpus: Corpus) -> Iterator[str]:
    yield "## Questions off the corpus"
    yield ""
    yield f"A question is answered where one stretch of own words holds {ON_CORPUS:.0%} of it, by rarity of the words."
    yield ""
    yield "| questions | answered | said to be not in the corpus | coverage, lowest to highest |"
    yield "|---|---|---|---|"
    wrong = []
    for (part, side), text in QUESTIONS.items():
        got = [(best(corpus, question, 6)[1], question) for question in text.splitlines()]
        answered = sum(coverage >= ON_CORPUS for coverage, _ in got)
        wrong += [f"- {part}: {question} ({coverage:.2f}, is {side})" for coverage, question in got
                  if (coverage >= ON_CORPUS) != (side == "on")]  # fmt: skip
        low_to_high = " ".join(f"{coverage:.2f}" for coverage, _ in sorted(got))
        yield f"| {part}, {side} the corpus | {answered} | {len(got) - answered} | {low_to_high} |"
    yield ""
    yield "Wrong:" if wrong else "None was wrong."
    yield from wrong
    yield ""


def gate(corpus: Corpus, others: Sequence[str]) -> Iterator[str]:
    """Quotes that should pass and quotes that should not, against the source they claim and the voice that speaks."""
    chance = random.Random(SEED)
    asked = [number for number, text in enumerate(corpus.texts) if len(text.text) < GATE_CHARS]
    by_source: dict[int, list[tuple[str, str, bool]]] = {number: [] for number in asked}
    raw = [(one.source, corpus.texts[one.source].text[one.start : one.end], one) for one in corpus.counted
           if one.source in by_source and 60 < one.end - one.start < 300 and len(one.tokens) > 9]  # fmt: skip
    picked = chance.sample(raw, PROBES * 5)
    words = sorted({token for _, _, one in raw for token in one.tokens if len(token) > 5})
    for i, (source, text, _) in enumerate(picked):
        flat = " ".join(text.split())
        kind = ("genuine", "artefact", "altered", "negated", "spliced")[i % 5]
        if kind == "artefact":
            flat = re.sub(r"\s*\{\d+\}\s*", " ", flat).replace("--", "—").replace("'", "’").replace("_", "")
        elif kind == "altered":
            token = chance.choice(
                [token for token in flat.split() if len(token) > 5 and token.isalpha()] or flat.split()
            )
            flat = flat.replace(token, chance.choice([word for word in words if word != token.lower()]), 1)
        elif kind == "negated":
            flat = negated(flat)
            if not flat:
                continue
        elif kind == "spliced":
            other = " ".join(picked[(i * 7 + 3) % len(picked)][1].split())
            flat = f"{flat[: flat.rfind(' ', 0, len(flat) // 2)]}{other[other.find(' ', len(other) // 2) :]}"
        by_source[source].append((kind, flat, kind in ("genuine", "artefact")))
    for text in chance.sample(list(others), PROBES):
        by_source[chance.choice(asked)].append(("misattributed", text, False))
    editors = [(number, " ".join(piece.split())) for number in asked
               for one in corpus.texts[number].segments if one.voice in ("editor", "recipient", "quoted")
               for piece in re.split(r"(?<=[.!?])\s", corpus.texts[number].text[one.start : one.end])
               if 60 < len(piece) < 250]  # fmt: skip
    for number, text in chance.sample(editors, PROBES):
        by_source[number].append(("another voice in the same book", text, False))
    for text in ABSENT:
        for number in by_source:
            by_source[number].append(("true but absent", text, False))
    right, exact, total, missed = Counter[str](), Counter[str](), Counter[str](), list[str]()
    for number, probes in by_source.items():
        for kind, quote, genuine in probes:
            text = corpus.texts[number]
            total[kind] += 1
            fits = accepted(text, quote) == genuine
            right[kind] += fits
            missed += [] if fits else [f'- {kind}, {text.title}: "{quote[:160]}"']
            exact[kind] += (quote in text.text) == genuine
    yield "## The quote gate"
    yield ""
    told = "A quote is accepted where the gate finds it in the source that it claims, in the person's own voice"
    yield f"{told}; {len(asked)} sources."
    yield ""
    yield "| probe | should be | probes | right | exact substring, right |"
    yield "|---|---|---|---|---|"
    for kind in total:
        should = "accepted" if kind in ("genuine", "artefact") else "refused"
        yield f"| {kind} | {should} | {total[kind]} | {right[kind]} | {exact[kind]} |"
    yield ""
    yield "Genuine words are given with one space for each line wrap, so that no exact substring finds them. Wrong:"
    yield ""
    yield from missed
    yield ""


def accepted(text: Text, quote: str) -> bool:
    span = locate(quote, text.text)
    return span is not None and any(
        one.start <= span.start and span.end <= one.end and one.voice == "own" for one in text.segments
    )


def negated(text: str) -> str:
    """The sentence with its meaning turned round by one word; '' where no verb was found to turn."""
    if " not " in text:
        return text.replace(" not ", " ", 1)
    turned = re.sub(r"\b(is|are|was|were|has|have|can|will|would|could|must|may|do|did)\b", r"\1 not", text, count=1)
    return turned if turned != text else ""


def who_said_it(corpus: Corpus, name: str, others: Sequence[str]) -> Iterator[str]:
    """Of two sentences that both were held out, which is the person's? By the corpus, and by n-grams."""
    chance = random.Random(SEED)
    own = [" ".join(one.text.split()) for one in corpus.counted if 60 < len(one.text) < 250]
    chance.shuffle(own)
    theirs = list(others)
    chance.shuffle(theirs)
    n = min(300, len(theirs) // 4)
    test, train, test_other, train_other = own[:n], own[n : n + 8_000], theirs[:n], theirs[n:]
    model = [Counter(gram for text in texts for gram in grams(text)) for texts in (train, train_other)]
    sizes = [sum(counts.values()) + len(model[0] | model[1]) for counts in model]

    def likelihood(text: str) -> float:
        return sum(math.log((model[0][g] + 1) / sizes[0]) - math.log((model[1][g] + 1) / sizes[1]) for g in grams(text))

    known = Counter(word for text in train for word in set(re.findall(r"[a-z]+", text.lower())))

    def overlap(text: str) -> float:
        words = set(re.findall(r"[a-z]+", text.lower()))
        return sum(word in known for word in words) / max(1, len(words))

    by_grams = sum(likelihood(a) > likelihood(b) for a, b in zip(test, test_other, strict=True))
    shares = [(overlap(a), overlap(b)) for a, b in zip(test, test_other, strict=True)]
    by_corpus = sum(1.0 if a > b else 0.5 if a == b else 0.0 for a, b in shares)
    yield f"| {name} | {n} | {by_corpus / n:.2f} | {by_grams / n:.2f} |"


def voices_by_hand(corpus: Corpus) -> Iterator[str]:
    """Seventy sentences of letters, essays and Autobiography, read in place: who says them, and what code says."""
    table: Counter[tuple[str, str]] = Counter()
    missed = []
    for line in (Path(__file__).parent / "voices.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        place = next(n for n, text in enumerate(corpus.texts) if text.title == row["source"])
        span = find_in(row["words"], corpus.texts[place].text)
        voice = corpus.voice_of(place, span.start, span.end) if span else "not found"
        table[row["said_by"], voice] += 1
        missed += [f"- {row['said_by']} taken for {voice}: {row['words'][:110]}"] if voice != row["said_by"] else []
    yield "## Voices, read by hand"
    yield ""
    yield "Forty sentences that the rules had called own, thirty that they had called another's; one reader."
    yield ""
    yield "| said by | told as | sentences |"
    yield "|---|---|---|"
    yield from (f"| {said_by} | {voice} | {count} |" for (said_by, voice), count in sorted(table.items()))
    yield ""
    yield from missed
    yield ""


def grams(text: str) -> list[str]:
    words = re.findall(r"[a-z']+|[.,;:!?]", text.lower())
    return words + [f"{a} {b}" for a, b in pairwise(words)]


def points_in_time(memory: Memory, everything: Corpus) -> Iterator[str]:
    """Quotes later than the year that was asked of; without the year, the same question of the whole corpus."""
    asked = [question for (_, side), text in QUESTIONS.items() if side == "on" for question in text.splitlines()]
    yield "## Points in time"
    yield ""
    yield "| as of | questions answered | quotes | later than the year | without the year, later |"
    yield "|---|---|---|---|---|"
    free = [
        quote.date for question in asked for one in answer_from(everything, question).sentences for quote in one.quotes
    ]
    for year in (1845, 1860, 1872):
        then = open_corpus(memory, PERSON, year)
        answers = [answer_from(then, question) for question in asked]
        dates = [quote.date for answer in answers for one in answer.sentences for quote in one.quotes]
        late, late_free = (sum(int(date[:4]) > year for date in found) for found in (dates, free))
        yield (
            f"| {year} | {sum(answer.on_corpus for answer in answers)} of {len(asked)} | {len(dates)} | {late} "
            f"| {late_free} of {len(free)} |"
        )
    yield ""


def sentences_of(folder: Path) -> list[str]:
    """Prose sentences of another author's files."""
    found = []
    for path in sorted(folder.glob("*.rst")):
        for block in path.read_text("utf-8", errors="replace").split("\n\n"):
            if block[:1].isalpha() and "::" not in block:
                found += [
                    " ".join(piece.split()) for piece in re.split(r"(?<=[.!?])\s", block) if 60 < len(piece) < 250
                ]
    return found


def main(corpus_folder: Path, other_folder: Path) -> str:
    begun = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        memory = Memory(Path(folder) / ".memex")
        take_in(memory, Path(folder), [corpus_folder], PERSON, "human:bench")
        corpus, others = open_corpus(memory, PERSON), sentences_of(other_folder)
        editor = [" ".join(piece.split()) for text in corpus.texts for one in text.segments if one.voice == "editor"
                  for piece in re.split(r"(?<=[.!?])\s", text.text[one.start : one.end])
                  if 60 < len(piece) < 250]  # fmt: skip
        lines = ["# Faithfulness", "", f"`python bench/faithfulness.py {corpus_folder.name} {other_folder.name}`: "
                 f"{PERSON}, {len(corpus.counted):,} own sentences, no model. Seed {SEED}.", ""]  # fmt: skip
        lines += [*gate(corpus, others), *questions(corpus)]
        told = (
            "Two sentences that were held out, one of the person's and one of another's. Chance is 0.50. The corpus "
            "answers by the share of words that it holds; the baseline is naive Bayes over words and pairs, trained on "
            "both authors; a tie is half a point. Against the editor the share of words tells little: he was the "
            "son, and writes of the same things in the same words, and the science in Darwin's sentences has rarer "
            "ones. No voice is told in that way: it is told by the structure of a text, as counted below. Use "
            "the baseline where it wins: a corpus says what was written, not who writes so."
        )
        lines += [
            "## Who said it",
            "",
            told,
            "",
            "| against | pairs | the corpus | n-gram baseline |",
            "|---|---|---|---|",
        ]
        lines += [
            *who_said_it(corpus, "the editor's narrative", editor),
            *who_said_it(corpus, "Python proposals", others),
            "",
        ]
        lines += voices_by_hand(corpus)
        lines += points_in_time(memory, corpus)
        memory.close()
    lines.append(f"{time.process_time() - begun:.0f} s of process time.")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    text = main(Path(sys.argv[1]), Path(sys.argv[2]))
    print(text)
    if "--write" in sys.argv:
        RESULT.write_text(text, encoding="utf-8")
