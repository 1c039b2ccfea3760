"""One run: its checkout, its walls, its process, its numbers."""
