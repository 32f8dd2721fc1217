"""Load on an endpoint: requests at a rate or in a closed loop, their times, and the highest rate that meets an SLO."""
