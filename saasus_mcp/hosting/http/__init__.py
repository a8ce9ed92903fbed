"""The ASGI app, its transports and middleware, and the HTTP server."""
