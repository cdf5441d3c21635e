"""Worlds: environments in plain JAX, each in a package that knows nothing of training."""
