"""The folder that MemoryLab leaves (`results/memorylab`): its log becomes runs, its decision packets become sources.

A packet is kept as it came, bytes and all, because it holds what somebody was told at the time; no number is read from
it. Unlike the other importers this one reads a folder and lands what it finds.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from ...ledger import Draft, Finding, Ref, Source, UsageError
from ...memory import Memory
from ..execution.campaign import Better
from ..recording import ImportResult, import_log

LOG = "experiments.jsonl"
_PACKET, _TEXT = "decision_packet.json", "decision_packet.md"
_BATCH, _LIMIT_BYTES = 500, 5_000_000


@dataclass(frozen=True, slots=True)
class FolderImport:
    """What came of a folder: its log, and how many packets of runs it held."""

    log: ImportResult
    packets: int
    added: int
    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        told = [f"{self.packets} decision packets, {self.added} new", *map(str, self.findings[:20])]
        return "\n".join([str(self.log), *told])

    def data(self) -> dict[str, object]:
        more = [{n: getattr(f, n) for n in ("rule", "severity", "where", "message", "hint")} for f in self.findings]
        return self.log.data() | {"packets": self.packets, "packets_added": self.added, "packet_findings": more}


def is_memorylab(folder: Path) -> bool:
    return (folder / LOG).is_file()


def import_folder(
    memory: Memory, folder: Path, by: str, campaign: str, metric: str | None = None, better: Better | None = None
) -> FolderImport:
    """Imports the log, then lands each packet with a reference to its run; importing twice adds nothing."""
    try:
        data = (folder / LOG).read_bytes()
    except OSError as error:
        raise UsageError(f"{folder / LOG} cannot be read: {error.strerror}", f"ls {folder}") from error
    log = import_log(memory, data, str(folder / LOG), by, campaign, metric, better)
    runs: dict[str, list[str]] = defaultdict(list)
    for label, run in memory.db.execute(
        "SELECT json_extract(body, '$.meta.label'), r.id FROM runs r JOIN entries e ON e.seq = r.run"
        " WHERE r.campaign = ? ORDER BY number",
        (campaign,),
    ):
        runs[label].append(run)
    drafts, findings = [], []
    for path in sorted(folder.glob(f"runs/*/{_PACKET}")):
        name = path.parent.name
        if path.stat().st_size > _LIMIT_BYTES or name not in runs:
            why = "is larger than 5 MB" if name in runs else f"belongs to no run of {LOG}"
            findings.append(Finding("packet-left-out", "warning", str(path), f"the packet {why}", f"cat {path}"))
            continue
        texts = [path, *([path.with_name(_TEXT)] if path.with_name(_TEXT).is_file() else [])]
        blobs = [memory.blobs.put(text.read_bytes()) for text in texts]
        refs = (*(Ref("from", run) for run in runs[name]), *(Ref("file", blob) for blob in blobs))
        source = Source(f"MemoryLab decision packet of {name}", "application/json", str(path), meta={"run_id": name})
        drafts.append(Draft(f"import:{campaign}", source, refs, key=f"memorylab:{campaign}:{name}:{blobs[0]}"))
    before = len(memory.index.by_key([draft.key or "" for draft in drafts]))
    for start in range(0, len(drafts), _BATCH):
        memory.land(drafts[start : start + _BATCH], by)
    return FolderImport(log, len(drafts), len(drafts) - before, tuple(findings))
