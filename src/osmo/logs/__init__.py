"""Lines of text: what a task prints and what we say about it, in one file a task."""
