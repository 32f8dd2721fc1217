"""How good and how fast an endpoint is: a suite of questions, a load, a comparison, gates, and a report for people."""
