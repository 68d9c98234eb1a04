"""What the user wrote. Only `osmo.spec.checkpoint` may be imported without pydantic and YAML installed."""
