"""`memex export KIND OUT`: the wiki as a site, an OKF bundle, one text for a model, or lines to train on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..ledger import UsageError, write_durably
from ..memory import Memory
from ..wiki.exporters import write_export

ExportKind = Literal["site", "okf", "cxml", "train"]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written where, and what was left out."""

    kind: str
    out: str
    files: int
    size_bytes: int
    notes: tuple[str, ...]

    def __str__(self) -> str:
        files = "1 file" if self.files == 1 else f"{self.files} files"
        return "\n".join([f"{self.out}: {files}, {self.size_bytes:,} bytes", *self.notes])


def export(memory: Memory, root: Path, kind: ExportKind, out: Path, tokens: int, any_licence: bool) -> Exported:
    """Writes the export; what a format cannot hold is counted, never dropped in silence."""
    if kind in ("site", "okf"):
        from ..wiki.exporters.bundles import okf_files
        from ..wiki.exporters.site import site_files

        files = site_files(memory, root) if kind == "site" else okf_files(root)
        write_export(out, files)
        opens = kind == "site" and out.suffix != ".zip"
        notes: tuple[str, ...] = (f"open {(out / 'index.html').resolve().as_uri()}",) if opens else ()
        return Exported(kind, str(out), len(files), sum(map(len, files.values())), notes)
    from ..wiki.exporters.bundles import context, examples

    if out.is_dir():
        raise UsageError(f"{out} is a folder, and {kind} is one file", f"memex export {kind} wiki.{kind}")
    if kind == "cxml":
        if tokens < 100:
            raise UsageError(f"--tokens is {tokens}", "memex export cxml wiki.xml --tokens 50000")
        made = context(root, tokens)
        data = made.text.encode()
        notes = (f"{made.tokens:,} tokens ({made.counted}): {made.whole} pages whole, {made.lines} cut to a line, "
                 f"{made.left_out} left out",)  # fmt: skip
    else:
        told = examples(memory, any_licence)
        data = "".join(f"{line}\n" for line in told.lines).encode()
        notes = (f"{len(told.lines):,} lines",)
        if told.unlicensed:
            notes += (f"left out, no licence: {told.unlicensed:,} claims of {told.sources_unlicensed} sources; "
                      "--any-licence takes them in",)  # fmt: skip
    out.parent.mkdir(parents=True, exist_ok=True)
    write_durably(out, data)
    return Exported(kind, str(out), 1, len(data), notes)
