"""What Python can ask for: a function for each command, with the command's words."""
