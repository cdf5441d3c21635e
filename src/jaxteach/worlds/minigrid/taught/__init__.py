"""What makes MiniGrid's levels teachable: words, roles, paths."""
