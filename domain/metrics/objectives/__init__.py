"""What the business wants to reach, and by when: at most three objectives at a time, each with its KPIs."""
