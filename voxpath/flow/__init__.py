"""The phone's life across protocols, seen by the servers: whom to admit, what to give, which address to use. Pure policy."""
