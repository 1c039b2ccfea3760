"""The ledger: what can be recorded, how it is stored so that nothing is lost, and the one way to record it."""

from .blobs import Blobs, blob_id, write_durably
from .errors import Finding, MemexError, OutsideError, Refused, UsageError
from .file import FileLedger
from .landing import Drafts, Landed, land, utc_now
from .scan import Batch, Cursor
from .types import (
    BODIES,
    FAILED,
    KINDS,
    ROLES,
    RUN_STATUSES,
    Answer,
    Body,
    Call,
    Claim,
    Draft,
    Entry,
    Kind,
    Ref,
    Role,
    Run,
    RunRole,
    RunStatus,
    Scalar,
    Source,
    Verdict,
)  # fmt: skip
from .union import United, unite

__all__ = [
    "BODIES", "FAILED", "KINDS", "ROLES", "RUN_STATUSES", "Answer", "Batch", "Blobs", "Body", "Call", "Claim", "Cursor",
    "Draft", "Drafts", "Entry", "FileLedger", "Finding", "Kind", "Landed", "MemexError", "OutsideError", "Ref",
    "Refused", "Role", "Run", "RunRole", "RunStatus", "Scalar", "Source", "United", "UsageError", "Verdict", "blob_id",
    "land", "unite", "utc_now", "write_durably",
]  # fmt: skip
