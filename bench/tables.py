"""Makes the markdown of `bench/results/store.md` from what was measured; it measures nothing and hides nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Record = dict[str, Any]
Number = float | None

QUESTION_TITLES = {
    "best": "Best run",
    "filtered": "`optimizer = 'muon' and val_bpb < 1.02 order by val_bpb limit 10`",
}


def document(results: Record) -> str:
    store, sizes = results["store"], results["sizes"]
    parts = [
        "# Store and start-up, measured",
        "Made by `make bench`; do not edit. What is measured and how: [bench/README.md](../README.md).",
        _machine(results),
        "## Aims\n\n" + _aims(results),
        "## Where memexlab loses\n\n" + _losses(results),
    ]
    if store:
        parts += [
            "## Write one run, ms\n\n" + _written(store, sizes),
            *(f"## {title}, ms in a warm process\n\n" + _asked(store, sizes, key)
              for key, title in QUESTION_TITLES.items()),
            "## The same questions by a process that starts for them, ms of wall time\n\n" + _cold(store, sizes),
            "## Four writer processes\n\n" + _writers(store),
            "## A store that does not exist yet, opened by four processes at once\n\n" + _fresh(store),
            "## Size on disk, MB\n\n" + _by_size(store, sizes, lambda at: at.get("bytes"), lambda v: number(v / 1e6)),
            "## Loading\n\n" + _loaded(store, sizes),
            "## memexlab alone\n\n" + _own(store, sizes),
        ]  # fmt: skip
    if results["startup"]:
        parts += [
            "## Start-up of a command, ms of wall time\n\n" + _commands(results["startup"]["commands"]),
            "## Installed size\n\n" + _installs(results["startup"]["installs"]),
        ]
    return "\n\n".join(parts) + "\n"


def number(value: Number) -> str:
    """Three digits that mean something, with thousands apart."""
    if value is None:
        return ""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    names = list(head)
    lines = [names, ["---", *["---:"] * (len(names) - 1)], *map(list, rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


# --- parts


def _machine(results: Record) -> str:
    machine = results["machine"]
    load = [f"{value:.1f}" for value in machine["load_average"]]
    end = [f"{value:.1f}" for value in machine["load_average_at_end"]]
    versions = ", ".join(f"{name} {version or 'not installed'}" for name, version in results["versions"].items())
    kind = "quick run: few repeats, small sizes, not for publication" if results["quick"] else "full run"
    fsync = machine["fsync_ms"]
    return (
        f"{results['date']} UTC, {kind}. {machine['processor']}, {machine['cores']} cores, {machine['system']}, "
        f"Python {machine['python']}, SQLite {machine['sqlite']}. Load average (1, 5, 15 min) {', '.join(load)} at "
        f"the start and {', '.join(end)} at the end, part of it this bench; above {machine['cores']} at the start "
        "others were at work, and then wall times are too long for everybody and tails say little. One fsync of 1,500 "
        f"appended bytes took {number(fsync['median'])} ms at the start (99th percentile {number(fsync['p99'])}). "
        f"{versions}. Medians unless said otherwise; a ratio is the time of memexlab divided by the other's."
    )


def _cell(value: Any, show: Callable[[float], str] = number) -> str:
    """A median, or why there is none."""
    if isinstance(value, dict):
        if "missing" in value:
            return str(value["missing"])
        return show(value["median"]) + ("" if value.get("right", True) else " (wrong answer)")
    return "" if value is None else show(value)


def _by_size(
    store: Record, sizes: list[int], read: Callable[[Record], Any], show: Callable[[float], str] = number
) -> str:
    rows = []
    for record in store.values():
        if "missing" in record:
            rows.append([record["title"], record["missing"], *[""] * (len(sizes) - 1)])
            continue
        rows.append([record["title"], *(_sized(record, size, read, show) for size in sizes)])
    return table(["", *(f"{size:,} runs" for size in sizes)], [row for row in rows if any(row[1:])])


def _sized(record: Record, size: int, read: Callable[[Record], Any], show: Callable[[float], str]) -> str:
    at = record["sizes"].get(str(size))
    if at is None:
        return "not reached"
    if "missing" in at:
        return str(at["missing"])
    return _cell(read(at), show)


def _written(store: Record, sizes: list[int]) -> str:
    def one(at: Record) -> Any:
        return at.get("write_ms")

    medians = _by_size(store, sizes, one)
    tails = _by_size(store, sizes, lambda at: (at.get("write_ms") or {}).get("p99"))
    cpu = _by_size(store, sizes, lambda at: at.get("write_cpu_ms"))
    durable = table(["", "what is safe when the call returns"], [[r["title"], r["durable"]] for r in store.values()])
    return (
        f"{medians}\n\n99th percentile:\n\n{tails}\n\nProcessor time, mean ms a run, which other work on the machine"
        f" moves less:\n\n{cpu}\n\n{durable}"
    )


def _with_connection(store: Record, key: str) -> Record:
    """Adds the second way to ask memexlab as a row of its own."""
    rows: Record = {}
    for name, record in store.items():
        if not any(key in at for at in record.get("sizes", {}).values()) and "missing" not in record:
            continue
        rows[name] = record
        if name == "memexlab":
            sizes = {size: at.get("connection", {}) for size, at in record["sizes"].items()}
            rows["connection"] = {"title": "memexlab, connection kept open", "sizes": sizes}
    return rows


def _asked(store: Record, sizes: list[int], key: str) -> str:
    rows = _with_connection(store, key)
    largest = [size for size in sizes if key in store["memexlab"]["sizes"].get(str(size), {})][-1:]
    text = _by_size(rows, sizes, lambda at: at.get(key))
    ratios = [
        f"{record['title']} {ratio}"
        for name, record in rows.items()
        for size in largest
        if name not in ("memexlab", "connection") and (ratio := _ratio(store, record, key, size))
    ]
    return text + (f"\n\nRatios at {largest[0]:,} runs: {'; '.join(ratios)}." if ratios else "")


def _median(record: Record, size: int, key: str) -> Number:
    value = record.get("sizes", {}).get(str(size), {}).get(key, {})
    return value.get("median") if isinstance(value, dict) else None


def _ratio(store: Record, other: Record, key: str, size: int) -> str:
    own, theirs = _median(store["memexlab"], size, key), _median(other, size, key)
    return number(own / theirs) if own and theirs else ""


def _cold(store: Record, sizes: list[int]) -> str:
    parts = []
    for key, title in QUESTION_TITLES.items():
        rows = {name: r for name, r in _with_connection(store, key).items() if name != "connection"}
        parts.append(f"{title}:\n\n" + _by_size(rows, sizes, lambda at, key=key: at.get(f"{key}_cold")))
    return "\n\n".join(parts)


def _writers(store: Record) -> str:
    rows = []
    for record in store.values():
        w = record.get("writers", {"missing": record.get("missing", "")})
        if "missing" in w:
            rows.append([record["title"], w["missing"], "", "", "", "", ""])
        else:
            lost = f"{w['lost']} of {w['acknowledged']:,}" + (f", {w['doubled']} doubled" if w["doubled"] else "")
            error = f"{w['errors']}" + (f" ({w['first_error'][:80]})" if w["errors"] else "")
            cells = (w["runs_per_second"], w["median"], w["p99"], w["longest"])
            rows.append([record["title"], *map(number, cells), lost, error])
    return table(["", "runs/s", "median ms", "99 % ms", "longest ms", "acknowledged and lost", "errors"], rows)


def _fresh(store: Record) -> str:
    rows = []
    for record in store.values():
        f = record.get("fresh")
        if f is None:
            rows.append([record["title"], record.get("missing", ""), "", ""])
        else:
            rows.append([record["title"], f"{f['succeeded']} of {f['starts']}", str(f["lost"]), f["first_error"][:120]])
    return table(["", "succeeded", "acknowledged and lost", "first error"], rows)


def _loaded(store: Record, sizes: list[int]) -> str:
    def rate(at: Record) -> Number:
        return at["loaded"] / at["load_seconds"] if at.get("load_seconds") else None

    return (
        "Runs a second into the store on the way to each size, by the fastest way its own interface offers: memexlab"
        " lands batches of 1,000, plain SQLite commits batches of 1,000, the peers store one run a call with syncing"
        " switched off while they load.\n\n" + _by_size(store, sizes, rate)
    )


def _own(store: Record, sizes: list[int]) -> str:
    rows = []
    at = store["memexlab"]["sizes"]
    for title, key in (
        ("cold `memex sql`, ms", "command_sql"),
        ("fold all views again, s", "rebuild_seconds"),
        ("the same, s of processor time", "rebuild_cpu_seconds"),
    ):
        rows.append([title, *(_cell(at.get(str(size), {}).get(key)) for size in sizes)])
    return table(["", *(f"{size:,} runs" for size in sizes)], rows)


def _commands(commands: Record) -> str:
    return table(["command", "median", "99 %"], [[f"`{name}`", _cell(c), number(c.get("p99"))]
                                                  for name, c in commands.items()])  # fmt: skip


def _installs(installs: Record) -> str:
    rows = []
    for name, item in installs.items():
        if "missing" in item:
            rows.append([name, item["missing"], "", ""])
        else:
            rows.append([name, number(item["megabytes"]), str(item["direct"]), str(item["distributions"])])
    return table(["", "MB without pip", "direct dependencies", "distributions"], rows)


# --- judgement


def _aims(results: Record) -> str:
    store, startup, size = results["store"], results["startup"], max(results["sizes"], default=0)
    checks: list[tuple[str, Number, Callable[[float], bool], str]] = []
    own = store.get("memexlab", {}) if store else {}
    if own:
        place = f"at {size:,} runs"
        checks += [
            (f"best run under 1 ms {place}", _median(own, size, "best"), lambda v: v < 1, "ms"),
            (f"filtered query under 1 ms {place}", _median(own, size, "filtered"), lambda v: v < 1, "ms"),
            (f"a durable run in at most 5 ms {place}", _median(own, size, "write_ms"), lambda v: v <= 5, "ms"),
            ("4 writers, at least 300 durable runs/s", own["writers"].get("runs_per_second"), lambda v: v >= 300, "/s"),
            ("4 writers, none lost", own["writers"].get("lost"), lambda v: v == 0, "lost"),
            (
                "every fresh start succeeds",
                own["fresh"]["starts"] - own["fresh"]["succeeded"], lambda v: v == 0,
                f"of {own['fresh']['starts']} failed",
            ),
            (f"cold `memex sql` under 150 ms {place}", _median(own, size, "command_sql"), lambda v: v < 150, "ms"),
        ]  # fmt: skip
    if startup:
        own_install = startup["installs"]["memexlab"]
        checks += [
            ("`memex --help` under 100 ms", startup["commands"]["memex --help"]["median"], lambda v: v < 100, "ms"),
            ("base install at most 120 MB", own_install["megabytes"], lambda v: v <= 120, "MB"),
            ("base install at most 10 direct dependencies", own_install["direct"], lambda v: v <= 10, ""),
        ]
    rows = [
        [aim, "not measured" if value is None else f"{number(value)} {unit}".strip(),
         "" if value is None else "yes" if met(value) else "**no**"]
        for aim, value, met, unit in checks
    ]  # fmt: skip
    return table(["aim", "measured", "met"], rows)


def _losses(results: Record) -> str:
    """Every measure in which somebody else was better, worst ratio first."""
    store = results["store"]
    found: list[tuple[float, str]] = []
    if store and "missing" not in store["memexlab"]:
        own = store["memexlab"]
        for record in store.values():
            if record is own or "missing" in record:
                continue
            for size in results["sizes"]:
                for key, words in (
                    ("write_ms", "writing one run"),
                    ("best", "best run"),
                    ("filtered", "filtered query"),
                    ("best_cold", "best run, cold process"),
                    ("filtered_cold", "filtered query, cold process"),
                ):
                    mine, theirs = _median(own, size, key), _median(record, size, key)
                    if mine and theirs and mine > theirs:
                        against = f"{number(mine)} ms against {number(theirs)} ms of {record['title']}"
                        found.append((mine / theirs, f"{words} at {size:,}: {against}"))
                mine, theirs = (r["sizes"].get(str(size), {}).get("bytes") for r in (own, record))
                if mine and theirs and mine > theirs:
                    against = f"{number(mine / 1e6)} MB against {number(theirs / 1e6)} MB of {record['title']}"
                    found.append((mine / theirs, f"size at {size:,}: {against}"))
            mine, theirs = (r.get("writers", {}).get("runs_per_second") for r in (own, record))
            if mine and theirs and mine < theirs:
                text = f"four writers: {number(mine)} runs/s against {number(theirs)} of {record['title']}"
                found.append((theirs / mine, text))
    if not found:
        return "Nowhere in this run." if store else "The store was not measured."
    lines = [f"- {number(ratio)} x: {text}" for ratio, text in sorted(found, reverse=True)]
    return (
        "memexlab appends to a ledger, syncs it, and folds a dozen tables; a bare table is quicker. Every measure in"
        " which it was slower or larger, worst first:\n\n" + "\n".join(lines)
    )
