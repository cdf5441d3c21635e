"""MiniGrid: Farama's levels as one engine, and the paper's four tasks. Importing it is free."""
