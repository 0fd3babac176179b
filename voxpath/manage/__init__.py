"""What an operator sees and does: the command table, the control socket, the command line and the ladder."""
