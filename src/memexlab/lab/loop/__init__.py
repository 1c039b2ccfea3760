"""The loop at work: what is measured next, by whom, how it is judged, and how a person steers it."""
