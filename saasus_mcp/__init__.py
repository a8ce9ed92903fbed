"""saasus-mcp: operate SaaSus Platform from an AI assistant, with a person in charge."""

__version__ = "0.1.0"
