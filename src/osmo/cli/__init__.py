"""Words. The only layer that reads the environment, prints and exits; stores, clocks and settings are made here."""
