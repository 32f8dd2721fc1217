"""Replays recorded requests to a local cloud and compares the answers: its fidelity as a number."""
