"""Passages, ranked by words and by what they share names with; trails between things."""
