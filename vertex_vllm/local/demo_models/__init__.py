"""The repositories that the demo puts on the local Hub: small enough for a CPU, and real as far as each card says."""
