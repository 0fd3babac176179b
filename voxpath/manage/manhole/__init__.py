"""The manhole: Python inside the running process, for its developers, over SSH or over telnet on loopback."""
