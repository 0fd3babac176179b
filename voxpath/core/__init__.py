"""The sans-I/O kernel: what a protocol core is made of, what it may ask for, and how it reads bytes and keeps time."""
