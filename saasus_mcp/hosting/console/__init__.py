"""The console: where people approve, look things up and stop everything, in a browser. Server-rendered, no script."""
