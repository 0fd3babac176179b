"""SIP: registrar and redirect server (RFC 3261), on a sans-I/O core of our own."""
