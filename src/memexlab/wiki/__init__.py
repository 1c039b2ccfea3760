"""The wiki: sources read, claims gated by their quotes, pages rendered from claims."""
