"""The process beside one run: decides which task starts next, replaces a dead agent. It never touches task data."""
