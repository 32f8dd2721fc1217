"""Statistics of paired runs: pure functions on numbers, checked against scipy and by simulation in the tests."""
