"""Task groups around a visualization job."""
