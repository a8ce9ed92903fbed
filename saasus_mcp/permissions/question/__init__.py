"""The question before a call: data first, then renderers for a dialog, a terminal, the console and the model."""
