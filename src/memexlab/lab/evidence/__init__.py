"""What a campaign shows, in words: logbook, lessons, packets, briefing, the questions of the morning."""
