"""Pages of the wiki as HTML: wikilinks, callouts, footnotes that open in the source. HTML in a page stays text.

What comes out is made by a sanitiser at the end, so that a hole in a rule here cannot let a script through.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote, unquote

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.footnote import footnote_plugin

_FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.S)
_WIKILINK = re.compile(r"(!?)\[\[([^\]|#\n]{1,200})(?:#([^\]|\n]*))?(?:\|([^\]\n]{1,300}))?\]\]")
_BLOCK = re.compile(r"\s\^([A-Za-z0-9-]+)\s*$")
_CALLOUT = re.compile(r"\[!(\w+)\][+-]?[ \t]*(.*)")

_TAGS = {
    "a", "abbr", "aside", "b", "blockquote", "br", "code", "del", "details", "div", "em", "h1", "h2", "h3", "h4", "h5",
    "h6", "hr", "i", "img", "ins", "kbd", "li", "mark", "ol", "p", "pre", "s", "section", "small", "span", "strong",
    "sub", "summary", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "id", "class", "title"}, "img": {"src", "alt", "title"}, "*": {"id", "class"}}


@dataclass(frozen=True, slots=True)
class Rendered:
    """A page: its front matter as text, its headings as (level, id, text), and its HTML, safe to show."""

    front: dict[str, str]
    headings: tuple[tuple[int, str, str], ...]
    html: str


PageOf = Callable[[str], str | None]
SourceOf = Callable[[str, str, str], str | None]


def render(text: str, page_of: PageOf, source_of: SourceOf, pictures: str = "/wiki/files/") -> Rendered:
    """`page_of` gives the address of a page by its name; `source_of` that of a page that shows a source, by its file,
    the place in it (`L3-L5`, `page=3`, a message, or '') and the words there; `pictures` is what stands before the
    names of pictures."""
    front, text = front_matter(text)
    parser = _parser()
    tokens = parser.parse(text, {})
    headings: list[tuple[int, str, str]] = []
    for i, token in enumerate(tokens):
        if token.type == "inline" and token.children is not None:
            token.children = _inline(token.children, page_of, source_of)
            _tick(tokens[i - 2].type, token.children)
            if identity := _block_id(token):
                tokens[i - 2 if tokens[i - 1].hidden else i - 1].attrSet("id", identity)
            if tokens[i - 1].type == "heading_open":
                shown = (child.content for child in token.children if child.type in ("text", "code_inline"))
                name = "".join(shown).strip()
                slug = re.sub(r"\W+", "-", name.lower()).strip("-") or f"h{i}"
                tokens[i - 1].attrSet("id", slug)
                headings.append((int(tokens[i - 1].tag[1]), slug, name))
        elif token.type == "blockquote_open":
            _callout(tokens, i)
    made = parser.renderer.render(tokens, parser.options, {"pictures": pictures})
    safe = nh3.clean(
        made, tags=_TAGS, attributes=_ATTRIBUTES, url_schemes={"http", "https"}, link_rel="noreferrer noopener",
        strip_comments=True,
    )  # fmt: skip
    return Rendered({key: value.strip('"') for key, value in front.items()}, tuple(headings), safe)


def front_matter(text: str) -> tuple[dict[str, str], str]:
    """The properties of a page by key, as they are written, and the text below them."""
    if (match := _FRONT.match(text)) is None:
        return {}, text
    lines = [line.partition(":") for line in match[1].splitlines() if line[:1].strip("- \t")]
    return {key.strip(): value.strip() for key, colon, value in lines if colon}, text[match.end() :]


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])
    parser.use(footnote_plugin)
    # A picture of somewhere else would tell that it was looked at: only those of the wiki itself are shown.
    parser.add_render_rule("image", _image)
    # A footnote that is named twice has one number.
    parser.add_render_rule("footnote_caption", lambda _, tokens, at, *more: f"[{tokens[at].meta['id'] + 1}]")
    return parser


def _image(renderer: object, tokens: Sequence[Token], index: int, options: object, env: dict[str, str]) -> str:
    token = tokens[index]
    address, alt = str(token.attrGet("src") or ""), html.escape(token.content, quote=True)
    if re.match(r"[a-z][a-z0-9+.-]*:|//", address, re.I):
        return f'<span class="dropped">[picture: {alt or html.escape(address)}]</span>'
    return f'<img src="{env["pictures"]}{quote(unquote(address))}" alt="{alt}">'


def _inline(children: list[Token], page_of: PageOf, source_of: SourceOf) -> list[Token]:
    made: list[Token] = []
    for child in children:
        if child.type == "link_open":
            _point(child, "".join(one.content or " " * (one.type == "softbreak") for one in made), source_of)
        if child.type != "text" or "[[" not in child.content:
            made.append(child)
            continue
        at = 0
        for match in _WIKILINK.finditer(child.content):
            made.append(_text(child.content[at : match.start()]))
            made += _link(match, page_of)
            at = match.end()
        made.append(_text(child.content[at:]))
    return made


def _tick(around: str, children: Sequence[Token]) -> None:
    """A box of a list of tasks, as a sign."""
    if around == "list_item_open" and children and (box := re.match(r"\[([ xX])\](?= )", children[0].content)):
        children[0].content = ("☐" if box[1] == " " else "☑") + children[0].content[3:]


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def _link(match: re.Match[str], page_of: PageOf) -> list[Token]:
    name, shown = match[2].strip(), (match[4] or match[2]).strip()
    address = page_of(name)
    if address is None:
        return [Token("em_open", "em", 1, attrs={"class": "phantom"}), _text(shown), Token("em_close", "em", -1)]
    slug = "#" + re.sub(r"\W+", "-", match[3].lower()).strip("-") if match[3] else ""
    opened = Token("link_open", "a", 1, attrs={"href": address + slug, "class": "page"})
    return [opened, _text(shown), Token("link_close", "a", -1)]


def _point(link: Token, before: str, source_of: SourceOf) -> None:
    """A link from the words of a source to its file opens the reading view at these words."""
    file, _, place = str(link.attrGet("href") or "").partition("#")
    words = re.search(r"“(.*)” $", before, re.DOTALL)
    if file.startswith("../") and (shown := source_of(unquote(file), unquote(place), words[1] if words else "")):
        link.attrSet("href", shown)
        link.attrSet("class", "words")


def _block_id(token: Token) -> str:
    last = token.children[-1] if token.children else None
    found = _BLOCK.search(last.content) if last is not None and last.type == "text" else None
    if last is None or found is None:
        return ""
    last.content = last.content[: found.start()]
    return f"b-{found[1]}"


def _callout(tokens: list[Token], at: int) -> None:
    """`> [!contradiction] title` becomes a box of that kind."""
    inline = next((token for token in tokens[at : at + 4] if token.type == "inline"), None)
    first = inline.children[0] if inline is not None and inline.children else None
    match = _CALLOUT.match(first.content) if first is not None and first.type == "text" else None
    if first is not None and match is not None:
        tokens[at].attrSet("class", f"callout {match[1].lower()}")
        first.content = match[2] or match[1].capitalize()
