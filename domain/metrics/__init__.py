"""What it amounts to: exact figures with their numerators, denominators and watermarks."""
