"""Files into a store and back, as they are: no checkpoints, no records. Whoever copies data by url uses it."""
