"""How operations come in and answers go out: HTTP, server-sent events, WebSocket."""
