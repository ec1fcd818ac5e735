"""Real detectors by name: their figures, with sources, and their panels."""
