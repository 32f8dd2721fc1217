"""How the container of a deployed model is run on this machine."""
