"""Both ways: what changed on either side since both agreed, who wins, and what the other side is to take over."""
