"""What a customer is worth: models of buying and staying, fitted to what was bought, and the money they stand for."""
