"""What all tasks share: state, layout draws, dynamics, view, observation, captions."""
