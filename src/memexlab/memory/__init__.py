"""Memory: views folded from the ledger, and the ways to read them."""

from .index import Index
from .sql import Rows, query
from .store import Memory

__all__ = ["Index", "Memory", "Rows", "query"]
