"""Pipeline runs: submitted to an engine, listed, followed, cancelled, scheduled."""
