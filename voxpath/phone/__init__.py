"""The phone's own side: boot machine, MEGACO media gateway, tone. Pure."""
