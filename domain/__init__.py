"""What Tenure knows of customers; each concept is a package of its own."""
