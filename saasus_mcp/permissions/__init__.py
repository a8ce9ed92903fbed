"""What may happen: decisions from the table of effects, a person's yes, and secrets kept from the model.

Knows nothing of MCP or HTTP. Decisions are pure; what must be remembered is in the store.
"""
