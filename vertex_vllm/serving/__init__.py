"""Models and Endpoints: requests as plain values, and the few functions that send them and wait."""
