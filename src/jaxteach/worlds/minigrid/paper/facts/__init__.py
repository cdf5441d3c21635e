"""The facts of each task, in a module of the task's name: what is known of it without JAX."""
