"""Whether an idea was tried, and under which settings."""
