"""How a change is found and how sure it is: pure functions over histories, without any I/O."""
