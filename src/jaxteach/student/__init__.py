"""The students: networks, losses, returns, decay schedules; on NumPy alone once they are trained."""
