"""The life of what a run created: labels, lock, promotion, teardown, sweep, inventory."""
