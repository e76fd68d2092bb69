"""The connectors that ship with Tenure, each on the SDK alone."""
