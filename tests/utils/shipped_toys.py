"""A toy that ships."""

TWO = 2
