"""The demo's business: made up, the same every time, and lively. Nobody in it exists."""
