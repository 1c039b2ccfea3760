"""What a page is made from, in short: a page whose basis is the one it was last written from is not rendered again.

A basis names all that reaches the page but the names that may become links in its text; these are compared apart. It
errs to one side alone: a page may be rendered for nothing, and comes out as it was. It reads no files but the code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache, reduce
from hashlib import blake2b
from pathlib import Path
from zlib import crc32

from .pages import Wiki
from .standing import Mention, Statement
from .subjects import Page, key_of

MOST_NAMES = 200


def bases(wiki: Wiki, told: str) -> dict[str, str]:
    """The basis of every page by the name of its file; `told` is what every page depends on."""
    subjects = wiki.subjects
    pages = {
        key: f"{page.slug}\t{page.title}\t{wiki.title(page)}\t{wiki.date(key)}" for key, page in subjects.pages.items()
    }
    sources = {
        name: f"{taken.title}\t{taken.date}\t{pages.get(wiki.home(name), '')}" for name, taken in wiki.sources.items()
    }
    near_of = {
        key: f"{pages[key]}\t{reduce(lambda a, other: a ^ crc32(other.encode()), wiki.using(key), 0)}" for key in pages
    }
    every = _digest([told, _code()])

    def said(s: Statement) -> str:
        other = subjects.resolve(s.object) if s.object else None
        home = subjects.resolve(s.subject)
        ends = f"{pages[other.key] if other else ''}\t{pages[home.key] if home else ''}"
        return f"{s.entry or s!r}\t{sources.get(s.source)}\t{ends}"

    def used(m: Mention) -> str:
        return f"{m.name}\t{m.count}\t{m.quote.line}\t{m.quote.text}\t{sources[m.quote.source]}"

    def parts(page: Page) -> Iterable[str]:
        key = page.key
        yield from (every, key, pages[key], page.kind, *page.homes, *sorted(page.aliases), *sorted(page.others))
        yield from map(said, (*wiki.about[key], *wiki.works[key], *wiki.elsewhere[key]))
        for one in wiki.successions[key]:
            yield from (
                f"{pages.get(one.old)}\t{pages.get(one.new)}\t{one.fact}",
                *map(said, map(wiki.claim, one.claims)),
            )
        for differs in wiki.differing[key]:
            yield from (f"{differs.relation}\t{differs.kind}", *map(said, map(wiki.claim, differs.claims)))
        yield from map(used, (*wiki.spoken_of[key].values(), *wiki.unpaged[key]))
        yield from (near_of[other] for other in wiki.near.get(key, ()))
        yield from sorted(pages[other] for other in wiki.speaks_of[key])

    return {f"{page.slug}.md": _digest(parts(page)) for page in subjects.pages.values()}


def stale(wiki: Wiki, now: Mapping[str, str], then: Mapping[str, str], names: Mapping[str, str]) -> set[str] | None:
    """Files whose page must be rendered: another basis, or a name that `names` knew otherwise; None where all must."""
    changed = {name for name, _ in wiki.subjects.names().items() ^ names.items()}
    if not then or len(changed) > MOST_NAMES:
        return None
    out = {name for name, basis in now.items() if then.get(name) != basis}
    heads = {name.split(" ")[0] for name in changed}
    for held in (wiki.about, wiki.elsewhere) if heads else ():
        for key, statements in held.items():
            for s in statements:
                text = f"{s.text} {s.object}"
                text = text.casefold() if text.isascii() else key_of(text)
                if any(head in text for head in heads) and (page := wiki.subjects.pages.get(key)) is not None:
                    out.add(f"{page.slug}.md")
                    break
    return out | {f"{wiki.page_of(hand)}.md" for hand in wiki.hands}


def _digest(parts: Iterable[str]) -> str:
    return blake2b("\n".join(parts).encode("utf-8", errors="surrogatepass"), digest_size=12).hexdigest()


@lru_cache(maxsize=1)
def _code() -> str:
    """Pages are rendered anew by another version of what renders them."""
    return _digest(path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("*.py")))
