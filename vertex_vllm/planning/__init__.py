"""Pure functions from model facts, catalogue and deployment to a `ServingPlan`: nothing here opens a connection."""
