"""How integrations are let in: their secrets and tokens, the pace of their requests, and the only way out."""
