"""Training: stages, losses, schedules, snapshots. ``options`` and ``budget`` are light; the rest needs torch."""
