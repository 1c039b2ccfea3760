"""What runs say of changes: noise, estimates over all runs, where they differ, and which change earned a gain."""
