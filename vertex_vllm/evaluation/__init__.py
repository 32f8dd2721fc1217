"""How good and how fast an endpoint is: a question set, a load, thresholds, and a report for people."""
