"""What a connector for Tenure is written with."""
