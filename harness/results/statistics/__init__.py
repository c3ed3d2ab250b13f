"""How sure a difference is: intervals, paired resampling, counts by sample."""
