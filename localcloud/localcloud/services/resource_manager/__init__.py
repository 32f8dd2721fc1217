"""Resource Manager."""
