"""The page of the wiki that a name means: that which is called so, or which a source calls so."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote

from ..memory.search.passages import normal
from ..wiki.subjects import slug_of

#: How a name is spelt, and the subjects that have it for an alias.
_SPELT = """SELECT spelt, 0 FROM named WHERE name = ?1 UNION SELECT s.spelt, 1 FROM named o JOIN claims c
 ON c.entry = o.entry AND c.relation = 'alias' JOIN named s ON s.entry = c.entry AND s.role = 'subject'
 WHERE o.name = ?1 AND o.role = 'object' ORDER BY 2, 1"""


def wiki_page_of(db: sqlite3.Connection, root: Path, name: str) -> str:
    """Its address, '' where it has no page of its own."""
    for spelt in (name, *(row[0] for row in db.execute(_SPELT, (normal(name),)))):
        slug = slug_of(spelt)
        if slug and len(slug) < 120 and (root / "wiki" / f"{slug}.md").is_file():
            return f"/wiki/{quote(slug)}"
    return ""
