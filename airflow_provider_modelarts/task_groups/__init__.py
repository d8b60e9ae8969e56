"""Task groups: what belongs together around a visualization job."""
