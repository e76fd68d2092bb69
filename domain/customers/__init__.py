"""Who the customers are, and which of them are one."""
