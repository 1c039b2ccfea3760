"""What changed between runs, read and named: edits, knobs, names, and when two edits are the same."""
