"""One module per ``twistd`` command: which roles of the configuration it starts."""
