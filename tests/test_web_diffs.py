"""A patch in two columns."""

from __future__ import annotations

from memexlab.web.diffs import rows

PATCH = """diff --git a/train.py b/train.py
index 1..2 100644
--- a/train.py
+++ b/train.py
@@ -1,4 +1,4 @@ def main():
 same
-LR = 0.1
-gone
+LR = 0.2
 end
--- not a header
"""


def test_lines_stand_beside_what_replaced_them() -> None:
    found = rows(PATCH)
    assert [row.kind for row in found] == ["file", "hunk", "same", "edit", "edit", "same", "edit"]
    changed, removed = found[3], found[4]
    assert (changed.old_number, changed.new_number) == (2, 2)
    assert [text for marked, text in changed.old if marked] == ["1"]
    assert [text for marked, text in changed.new if marked] == ["2"]
    assert (removed.old_number, removed.new_number, removed.new) == (3, None, ())
    assert found[5].old_number == 4
    assert found[5].new_number == 3
    assert found[6].old == ((False, "-- not a header"),)


def test_a_patch_without_end_is_cut_and_says_so() -> None:
    endless = "@@ -1 +1,9999 @@\n" + "+x\n" * 9999
    found = rows(endless)
    assert len(found) == 2_001
    assert "not shown" in found[-1].text


def test_what_is_no_patch_gives_nothing() -> None:
    assert rows("") == []
    assert rows("Binary files differ\n<script>alert(1)</script>") == []
