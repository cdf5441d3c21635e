"""What every room may use: errors, files, JSON, locks, signals and how JAX is set up."""
