"""Questions in words: the grammar, what it reads names and moments by, and the answers as SQL."""
