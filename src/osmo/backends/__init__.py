"""Where agents are started. A backend starts agents, asks after many in one call, stops them; no more."""
