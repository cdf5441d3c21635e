"""MiniGrid: grids of walls, doors and things, seen through a small window."""
