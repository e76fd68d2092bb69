"""Where customers are: lifecycles, their stages, the moves between them and the history that these leave."""
