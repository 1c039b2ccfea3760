"""A perspective as a prompt of so many tokens, and as a skill: a fixed frame, then statements while they fit.

The same perspective and budget give the same bytes. It calls no model, and takes no unreviewed tension for true.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

from ..ledger import UsageError
from ..tokens import count_tokens, counting
from .perspective import Perspective
from .statements import Made, Quote, Statement

BUDGETS = (800, 2_000, 5_000)
_SKILL = re.compile(r"(?=.{1,64}\Z)[a-z0-9]+(?:-[a-z0-9]+)*")
_SKILL_TOKENS = 2_000
#: A quote longer than this is left to the references.
_QUOTE_CHARS = 420


@dataclass(frozen=True, slots=True)
class BuiltPrompt:
    """A prompt, how many tokens it has and may have, who counted them, and what was cut, by section."""

    text: str
    tokens: int
    budget: int
    counted: str
    cut: dict[str, int]

    def __str__(self) -> str:
        return self.text


def place(quote: Quote) -> str:
    """How a quote is cited: source, and from which to which character."""
    return f"S{quote.source}:{quote.start}-{quote.end}"


def held(perspective: Perspective) -> str:
    """What the corpus holds and lacks, in one line."""
    had = perspective.coverage
    years = f", {min(had.years)} to {max(had.years)}" if had.years else ""
    kinds = ", ".join(f"{kind} {words:,}" for kind, words in sorted(had.kinds.items(), key=lambda kind: -kind[1]))
    return f"{had.words:,} own words in {had.groups} independent groups of {had.sources} sources{years} ({kinds})"


def build_prompt(
    perspective: Perspective, budget: int, as_of: int | None = None, first_person: bool = False
) -> BuiltPrompt:
    """The prompt of at most `budget` tokens as `memexlab.tokens` counts them; raises UsageError below its frame."""
    rows = list(_rows(perspective))
    total, taken = Counter(section for section, _ in rows), list[tuple[str, str]]()
    text = _text(perspective, taken, total, as_of, first_person)
    if (least := count_tokens(text)) > budget:
        raise UsageError(f"the frame alone has {least} tokens, and the budget is {budget}", f"--tokens {least + 200}")
    for row in rows:
        if count_tokens(row[1]) > budget - count_tokens(text):
            continue
        # Counted whole, never summed: a tokenizer may join the end of one line to the next.
        longer = _text(perspective, [*taken, row], total, as_of, first_person)
        if count_tokens(longer) <= budget:
            taken.append(row)
            text = longer
    cut = total - Counter(section for section, _ in taken)
    return BuiltPrompt(text, count_tokens(text), budget, counting(), dict(cut))


def lens_of(perspective: Perspective) -> str:
    """Instructions for a seat of a council: to judge as the published words would, by what is best supported."""
    held = (*perspective.axioms, *perspective.positions)[:20] or perspective.once[:20]
    told = "\n".join(f"- {one.text}" for one in held)
    name = perspective.person
    return (
        f"You sit for {name}: a model of published words, not of the person; never say I. Answer and rank as these "
        f"words would have it, and rest on evidence that {name} wrote where there is any:\n{told}"
    )


def _text(
    perspective: Perspective, taken: list[tuple[str, str]], total: Counter[str], as_of: int | None, first_person: bool
) -> str:
    name = perspective.person
    until = f" Nothing later than {as_of} is in it, and nothing later may be said." if as_of else ""
    voice = (
        f"You may speak as {name}; say once in each answer that you are a model of published words."
        if first_person else f'Never say "I" for {name}. Write "{name} wrote" and "in this framework".'
    )  # fmt: skip
    frame = f"""# {name}: a perspective compiled from published words
You are a model of published words, not of the person.
Corpus: {held(perspective)}.{until}

## How to answer
1. Mark every sentence. [said S1:2-3] repeats words quoted below. [derived A1, P2] follows from the statements named.
   [beyond] has no evidence below: say so first.
2. Copy quotes letter by letter with their place, such as S1:2-3. Never make up a quote, a place or a date.
3. Where nothing below bears on the question, answer "not in the corpus ({perspective.coverage.words:,} words)", then
   the nearest that is. Silence of the corpus is no opinion.
4. {voice}
5. Give the counter-evidence and the years with a statement. "candidate" means found by code and reviewed by nobody.
"""
    parts = [frame]
    for section in dict.fromkeys(section for section, _ in taken):
        parts.append(f"## {section}\n" + "\n".join(line for name_, line in taken if name_ == section) + "\n")
    left = total - Counter(section for section, _ in taken)
    if left:
        told = ", ".join(f"{count} {section.lower()}" for section, count in left.items())
        parts.append(f"Left out for length: {told}.\n")
    return "\n".join(parts)


def _rows(perspective: Perspective) -> Iterator[tuple[str, str]]:
    """(section, line) in the order in which they are taken; numbers do not move when a line is cut."""
    yield from _statements("Axioms", "A", perspective.axioms)
    for i, model in enumerate(perspective.models, 1):
        words = f" {_quoted(_shortest(model.uses))}" if model.uses else ""
        about = f": {model.text}" if model.text else ""
        lean = f"in {model.frequency} groups, {model.load} statements lean on it{_mark(model)}"
        yield "Models", f"M{i}. {model.name}{about} ({lean}){words}"
    for i, tension in enumerate((one for one in perspective.tensions if not one.candidate), 1):
        sides = " against ".join(_quoted(side.quotes[0]) for side in (tension.left, tension.right) if side.quotes)
        yield "Tensions", f"T{i}. {tension.kind}: {sides}"
    yield from _statements("Positions", "P", perspective.positions)
    for i, told in enumerate(perspective.predictions, 1):
        who = f", says {told.resolved_by}" if told.resolved_by else ""
        late = f", due since {told.horizon}" if told.due else ""
        meant = f"made {told.made}, for {told.horizon or 'no date'}: {told.status}{who}{late}"
        yield "Predictions", f"F{i}. {_quoted(told.quote)} {meant}"
    yield from (("Limits", f"- {gap}") for gap in perspective.coverage.gaps[:12])
    yield from _statements("Said once", "O", perspective.once)
    for mention in perspective.lineage:
        how = "" if mention.explicit else ", inferred"
        yield "Lineage", f"- {mention.name}: {mention.relation}{how}, {mention.groups} groups, since {mention.first}"


def _statements(section: str, letter: str, statements: tuple[Statement, ...]) -> Iterator[tuple[str, str]]:
    for i, one in enumerate(statements, 1):
        if not one.quotes:
            continue
        if len((quote := _shortest(one.quotes)).text) > _QUOTE_CHARS:
            continue
        own = "" if " ".join(one.text.split()) in quote.text else f"{one.text} "
        counter = f"; but {_quoted(_shortest(one.counter))}" if one.counter else ""
        yield section, f"{letter}{i}. {own}{_quoted(quote)} ({one.gate}{_mark(one)}){counter}"


def _mark(one: Made) -> str:
    return "" if not one.candidate else ", candidate" if one.made_by == "code" else f", by {one.made_by}, not reviewed"


def _shortest(quotes: Iterable[Quote]) -> Quote:
    return min(quotes, key=lambda quote: len(quote.text))


def _quoted(quote: Quote) -> str:
    return f'"{quote.text}" [{place(quote)}, {quote.date[:4]}]'


def skill_files(perspective: Perspective, name: str, as_of: int | None, budget: int, first: bool) -> dict[str, str]:
    """Path to text of a skill that any agent can load; `name` is also the name of its folder."""
    if not _SKILL.fullmatch(name):
        raise UsageError(f"{name!r} cannot name a skill", f"--out {perspective.slug}-perspective")
    body = build_prompt(perspective, max(_SKILL_TOKENS, min(budget, 4_500)), as_of, first).text
    about = (
        f"Answers and reviews from the published words of {perspective.person}, with the exact quotes. Use when asked "
        f"what {perspective.person} wrote or would say of something. Says so where the corpus has nothing."
    )[:1_024]
    pages = defaultdict[str, list[str]](list)
    for section, line in _rows(perspective):
        pages[section].append(line)
    files = {f"references/{section.lower().replace(' ', '-')}.md": f"# {section}\n\n" + "\n\n".join(lines) + "\n"
             for section, lines in pages.items()}  # fmt: skip
    more = "".join(f"- `{path}`\n" for path in files)
    head = f"---\nname: {name}\ndescription: {json.dumps(about, ensure_ascii=False)}\n---\n\n"
    return files | {
        "SKILL.md": f"{head}{body}\n## More\nAll statements with their quotes:\n\n{more}- `evidence.json`\n",
        "prompt.md": build_prompt(perspective, budget, as_of, first).text,
        "evidence.json": json.dumps(asdict(perspective), ensure_ascii=False, sort_keys=True, indent=1) + "\n",
    }
