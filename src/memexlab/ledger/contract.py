"""What every store of a ledger must keep, as tests that a store's own suite inherits.

A suite makes a subclass whose name begins with `Test`, overrides `open_ledger`, and runs it with pytest. It knows
nothing of files: crashes, damage and full disks are tested where the store is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from . import wire
from .blobs import Blobs
from .errors import Refused
from .file import FileLedger
from .landing import Drafts, land
from .scan import Cursor
from .types import Body, Claim, Draft, Entry, Ref, Run, Source, Verdict

#: Far more than any of this takes; a thread that waits longer waits for ever.
HANGS_AFTER_SECONDS = 300
NOON = datetime(2030, 1, 2, 12, 0, 0, tzinfo=UTC)


def stored_claim(text: str) -> bytes:
    """The stored bytes of one small claim."""
    return wire.entry_json(Draft("topic", Claim(text)), "code:contract", NOON.isoformat())


def texts(entries: Sequence[Entry]) -> list[str]:
    return [entry.body.text for entry in entries if isinstance(entry.body, Claim)]


def refusal(act: Callable[[], object]) -> Refused:
    """The refusal that `act` must raise."""
    try:
        act()
    except Refused as refused:
        return refused
    raise AssertionError("it was not refused")


class Seen:
    """The smallest `Landed`: ids and keys in memory, read from the ledger itself."""

    def __init__(self, ledger: FileLedger) -> None:
        self._ledger = ledger
        self._cursor = Cursor()
        self._ids: set[str] = set()
        self._keys: dict[str, Entry] = {}

    def catch_up(self) -> None:
        for batch in self._ledger.read(self._cursor):
            self._cursor = batch.cursor
            for entry in batch.entries():
                self._ids.add(entry.id)
                if entry.key is not None:
                    self._keys.setdefault(entry.key, entry)

    def known(self, ids: Sequence[str]) -> set[str]:
        return self._ids.intersection(ids)

    def by_key(self, keys: Sequence[str]) -> dict[str, Entry]:
        return {key: self._keys[key] for key in keys if key in self._keys}


class LedgerContract:
    """The promises of a ledger that do not depend on where it is kept."""

    def open_ledger(self, folder: Path) -> FileLedger:
        """Opens the ledger that belongs to `folder`: an empty one the first time, the same one every time after."""
        raise NotImplementedError

    def land(self, ledger: FileLedger, folder: Path, drafts: Drafts, by: str = "code:contract") -> list[Entry]:
        return land(drafts, by, ledger=ledger, blobs=Blobs(folder / "blobs"), view=Seen(ledger), clock=lambda: NOON)

    def entries(self, ledger: FileLedger, after: Cursor | None = None) -> list[Entry]:
        findings: list[object] = []
        found = [entry for batch in ledger.read(after, findings.append) for entry in batch.entries()]
        assert findings == []
        return found

    # --- append and read

    def test_an_empty_ledger_reads_as_nothing(self, tmp_path: Path) -> None:
        ledger = self.open_ledger(tmp_path)
        assert list(ledger.read()) == []
        assert ledger.check_tail() == []

    def test_what_was_appended_is_read_in_order(self, tmp_path: Path) -> None:
        ledger = self.open_ledger(tmp_path)
        for number in range(7):
            ledger.append([stored_claim(str(number))])
        found = self.entries(self.open_ledger(tmp_path))
        assert texts(found) == [str(number) for number in range(7)]
        assert [entry.seq for entry in found] == list(range(7))

    def test_the_sequence_counts_entries_and_not_batches(self, tmp_path: Path) -> None:
        ledger = self.open_ledger(tmp_path)
        sizes = [1, 3, 2, 5, 1]
        for size in sizes:
            batch = ledger.append([stored_claim(f"{size}/{place}") for place in range(size)])
            assert len(batch.lines) == size
        batches = list(ledger.read())
        assert [len(batch.lines) for batch in batches] == sizes
        assert [line.seq for batch in batches for line in batch.lines] == list(range(sum(sizes)))
        assert [batch.cursor.seq for batch in batches] == [1, 4, 6, 11, 12]

    def test_an_entry_comes_back_as_it_went_in(self, tmp_path: Path) -> None:
        ledger = self.open_ledger(tmp_path)
        text = 'line feed \n, NUL \0, quote ", U+2028 \u2028, emoji \U0001f600, \x7f, {"seq":0,'
        run = Run("c", "keep", 3, metrics={"loss": 1e-300}, settings={"lr": 0.1, "act": None, "tied": True}, seed=2**60)
        drafts = [Draft("s", Claim(text), since="2030-01-01", key="k \n"), Draft("r", run, (Ref("from", "@0", 2, 9),))]
        landed = self.land(ledger, tmp_path, drafts)
        assert self.entries(self.open_ledger(tmp_path)) == landed
        assert landed[0].body == Claim(text)
        assert landed[1].body == run
        assert landed[1].refs == (Ref("from", landed[0].id, 2, 9),)

    def test_a_cursor_goes_on_where_it_stopped(self, tmp_path: Path) -> None:
        ledger = self.open_ledger(tmp_path)
        for number in range(6):
            ledger.append([stored_claim(f"{number}a"), stored_claim(f"{number}b")])
        batches = list(ledger.read())
        for place, batch in enumerate(batches):
            rest = [other.lines for other in ledger.read(batch.cursor)]
            assert rest == [other.lines for other in batches[place + 1 :]]
        end = batches[-1].cursor
        assert list(ledger.read(end)) == []
        ledger.append([stored_claim("later")])
        assert texts(self.entries(ledger, end)) == ["later"]

    def test_two_handles_see_each_other(self, tmp_path: Path) -> None:
        one, two = self.open_ledger(tmp_path), self.open_ledger(tmp_path)
        for number in range(8):
            (one, two)[number % 2].append([stored_claim(str(number))])
            assert len(self.entries(one)) == len(self.entries(two)) == number + 1
        assert [entry.seq for entry in self.entries(one)] == list(range(8))

    def test_a_reader_never_sees_half_a_batch(self, tmp_path: Path) -> None:
        writer, reader = self.open_ledger(tmp_path), self.open_ledger(tmp_path)
        rounds, size, failures = 60, 4, []

        def write() -> None:
            try:
                for number in range(rounds):
                    writer.append([stored_claim(f"{number}/{place}" + "x" * 2000) for place in range(size)])
            except Exception as error:
                failures.append(error)

        thread = threading.Thread(target=write)
        thread.start()
        cursor, seen, looks = Cursor(), 0, 0
        while True:
            alive = thread.is_alive()
            for batch in reader.read(cursor):
                assert len(batch.lines) == size
                cursor, seen = batch.cursor, seen + len(batch.lines)
                assert cursor.seq == seen
            looks += 1
            if not alive:
                break
        thread.join()
        assert failures == []
        assert seen == rounds * size
        assert looks > 1

    def test_threads_may_share_a_handle(self, tmp_path: Path) -> None:
        ledger = self.open_ledger(tmp_path)
        failures = []

        def write(name: int) -> None:
            try:
                for number in range(10):
                    ledger.append([stored_claim(f"{name}/{number}"), stored_claim(f"{name}/{number}'")])
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=write, args=(name,), daemon=True) for name in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(HANGS_AFTER_SECONDS)
            assert not thread.is_alive()
        found = self.entries(ledger)
        assert failures == []
        assert [entry.seq for entry in found] == list(range(120))
        assert len(set(texts(found))) == 120

    def test_ids_do_not_depend_on_position(self, tmp_path: Path) -> None:
        one, two = self.open_ledger(tmp_path / "one"), self.open_ledger(tmp_path / "two")
        for number in range(3):
            one.append([stored_claim(f"only in one {number}")])
        for ledger in (one, two):
            ledger.append([stored_claim("in both")])
        two.append([stored_claim("only in two")])

        def ids(ledger: FileLedger) -> dict[str, str]:
            found = self.entries(ledger)
            return dict(zip(texts(found), [entry.id for entry in found], strict=True))

        ids_one, ids_two = ids(one), ids(two)
        assert ids_one["in both"] == ids_two["in both"]
        missing = [line.entry_json for batch in two.read() for line in batch.lines if line.id not in ids_one.values()]
        one.append(missing)
        assert ids(one) == ids_one | ids_two

    def test_bytes_that_could_not_be_read_back_are_not_appended(self, tmp_path: Path) -> None:
        ledger = self.open_ledger(tmp_path)
        ledger.append([stored_claim("before")])
        long = stored_claim("x" * wire.LINE_LIMIT_BYTES)
        for wrong in (b"", b"no object", b'{"two":\n"lines"}', b'["list"]', long):
            try:
                ledger.append([stored_claim("good"), wrong])
            except ValueError:
                continue
            raise AssertionError(f"{wrong[:20]!r} was appended")
        assert texts(self.entries(ledger)) == ["before"]

    # --- landing

    def test_an_actor_is_demanded(self, tmp_path: Path) -> None:
        ledger = self.open_ledger(tmp_path)
        for by in ("", "ada", "human:", "robot:r2", "human:ada lovelace", "xhuman:ada", "human:ada\n"):
            refused = refusal(lambda by=by: self.land(ledger, tmp_path, [Draft("s", Claim("c"))], by))  # type: ignore[misc]
            assert [finding.rule for finding in refused.findings] == ["actor"]
        assert self.entries(ledger) == []
        [entry] = self.land(ledger, tmp_path, [Draft("s", Claim("c"))], "model:qwen3-8b")
        assert entry.by == "model:qwen3-8b"

    def test_one_refusal_lands_nothing_and_all_are_told(self, tmp_path: Path) -> None:
        ledger = self.open_ledger(tmp_path)
        drafts = [
            Draft("good", Claim("good")),
            Draft(" ", Claim("no subject")),
            Draft("judged", Verdict("confirmed")),
            Draft("crashed", Run("c", "crash", metrics={"loss": 0.0})),
            Draft("also good", Claim("good")),
        ]
        refused = refusal(lambda: self.land(ledger, tmp_path, drafts))
        assert [finding.rule for finding in refused.findings] == ["subject", "verdict-target", "run-failed-metric"]
        assert all(finding.hint for finding in refused.findings)
        assert self.entries(ledger) == []

    def test_what_cannot_be_stored_exactly_is_refused(self, tmp_path: Path) -> None:
        ledger = self.open_ledger(tmp_path)
        deep: object = 0
        for _ in range(400):
            deep = [deep]
        wrong: dict[str, Body] = {
            "metric NaN": Run("c", "keep", metrics={"loss": float("nan")}),
            "metric infinite": Run("c", "keep", metrics={"loss": float("inf")}),
            "metric beyond floats": Run("c", "keep", metrics={"loss": 10**400}),
            "metric a truth value": Run("c", "keep", metrics={"loss": True}),
            "setting NaN": Run("c", "keep", settings={"lr": float("nan")}),
            "deep in meta": Source("t", meta={"a": [{"b": float("-inf")}]}),
            "half a surrogate": Claim("a\ud800b"),
            "half a surrogate as a name": Source("t", meta={"\udfff": 1}),
            "no JSON": Source("t", meta={"a": {1, 2}}),
            "bytes": Source("t", meta={"a": b"x"}),
            "nested too deep": Source("t", meta={"a": deep}),
            "over a megabyte": Claim("x" * wire.LINE_LIMIT_BYTES),
            "over a megabyte in UTF-8 only": Claim("\u20ac" * (wire.LINE_LIMIT_BYTES // 3)),
        }
        for name, body in wrong.items():
            drafts = [Draft("good", Claim("good")), Draft(name, body)]
            refused = refusal(lambda drafts=drafts: self.land(ledger, tmp_path, drafts))  # type: ignore[misc]
            assert len(refused.findings) == 1, name
            assert self.entries(ledger) == [], name
        [entry] = self.land(ledger, tmp_path, [Draft("s", Claim("x" * (wire.LINE_LIMIT_BYTES - 400)))])
        assert self.entries(self.open_ledger(tmp_path)) == [entry]

    def test_what_points_to_nothing_is_refused(self, tmp_path: Path) -> None:
        ledger = self.open_ledger(tmp_path)
        wrong = {
            "ref-missing": ["e:" + "0" * 32, "b:" + "0" * 64, "@1", "@7"],
            "ref-id": ["", "e:0", "b:" + "z" * 64, "b:" + "A" * 64, "@", "@-1", "@\u00b2", "@" + "9" * 5000, "c:1"],
        }
        for rule, targets in wrong.items():
            for target in targets:
                drafts = [Draft("a", Claim("a")), Draft("b", Claim("b"), (Ref("from", target),))]
                refused = refusal(lambda drafts=drafts: self.land(ledger, tmp_path, drafts))  # type: ignore[misc]
                assert [finding.rule for finding in refused.findings] == [rule], target
        assert self.entries(ledger) == []
        blob = Blobs(tmp_path / "blobs").put(b"log")
        [first] = self.land(ledger, tmp_path, [Draft("a", Claim("a"), (Ref("log", blob, 0, 3),))])
        [second] = self.land(ledger, tmp_path, [Draft("b", Claim("b"), (Ref("from", first.id),))])
        assert self.entries(ledger) == [first, second]

    def test_a_draft_may_point_to_an_earlier_one_of_its_batch(self, tmp_path: Path) -> None:
        ledger = self.open_ledger(tmp_path)
        drafts = [
            Draft("a", Claim("a"), key="a"),
            Draft("b", Claim("b"), (Ref("from", "@0"),)),
            Draft("c", Claim("c"), (Ref("from", "@1"), Ref("contradicts", "@0"))),
        ]
        one, two, three = self.land(ledger, tmp_path, drafts)
        assert two.targets("from") == [one.id]
        assert (three.targets("from"), three.targets("contradicts")) == ([two.id], [one.id])
        again = self.land(ledger, tmp_path, [drafts[0], Draft("d", Claim("d"), (Ref("from", "@0"),))])
        assert again[0] == one
        assert again[1].targets("from") == [one.id]

    def test_a_key_lands_once(self, tmp_path: Path) -> None:
        ledger, other = self.open_ledger(tmp_path), self.open_ledger(tmp_path)
        [first] = self.land(ledger, tmp_path, [Draft("s", Claim("first"), key="k")])
        mixed = [Draft("s", Claim("second"), key="k"), Draft("s", Claim("new"), key="n")]
        old, new = self.land(other, tmp_path, mixed)
        assert old == first
        assert self.land(ledger, tmp_path, mixed) == [first, new]
        assert texts(self.entries(ledger)) == ["first", "new"]

    def test_a_key_lands_once_within_a_batch(self, tmp_path: Path) -> None:
        ledger = self.open_ledger(tmp_path)
        drafts = [
            Draft("s", Claim("first"), key="k"),
            Draft("s", Claim("second"), key="k"),
            Draft("s", Claim("on it"), (Ref("from", "@1"),)),
        ]
        first, same, on_it = self.land(ledger, tmp_path, drafts)
        assert same == first
        assert on_it.targets("from") == [first.id]
        assert texts(self.entries(ledger)) == ["first", "on it"]

    def test_equal_drafts_of_one_instant_are_two_entries(self, tmp_path: Path) -> None:
        ledger = self.open_ledger(tmp_path)
        draft = Draft("s", Claim("again"))
        landed = self.land(ledger, tmp_path, [draft, draft]) + self.land(ledger, tmp_path, [draft])
        assert len({entry.id for entry in landed}) == 3
        assert self.entries(ledger) == landed

    def test_drafts_as_a_function_see_all_that_landed(self, tmp_path: Path) -> None:
        ledger, other = self.open_ledger(tmp_path), self.open_ledger(tmp_path)
        view = Seen(ledger)
        [theirs] = self.land(other, tmp_path, [Draft("s", Claim("theirs"), key="theirs")])

        def drafts() -> list[Draft]:
            assert view.by_key(["theirs"]) == {"theirs": theirs}
            return [Draft("s", Claim("mine"), (Ref("from", theirs.id),))]

        blobs = Blobs(tmp_path / "blobs")
        [mine] = land(drafts, "code:contract", ledger=ledger, blobs=blobs, view=view)
        assert mine.targets("from") == [theirs.id]
        assert land(list, "code:contract", ledger=ledger, blobs=blobs, view=view) == []
        assert self.entries(other) == [theirs, mine]

    def test_drafts_that_fail_land_nothing_and_let_go_of_the_lock(self, tmp_path: Path) -> None:
        ledger, other = self.open_ledger(tmp_path), self.open_ledger(tmp_path)

        def nested() -> list[Draft]:
            self.land(ledger, tmp_path, [Draft("s", Claim("inside"))])
            return [Draft("s", Claim("outside"))]

        try:
            self.land(ledger, tmp_path, nested)
        except RuntimeError:
            pass
        else:
            raise AssertionError("a landing inside another one went through")
        assert self.entries(ledger) == []
        [entry] = self.land(other, tmp_path, [Draft("s", Claim("after"))])
        assert self.entries(ledger) == [entry]
