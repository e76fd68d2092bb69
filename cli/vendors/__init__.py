"""The demo's vendors: sandboxes that run beside it, with books and a mailbox that match its customers."""
