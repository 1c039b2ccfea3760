"""What each command does, from the lab on disk to what it prints; the faces (`api`, `cli`) only name and call these."""
