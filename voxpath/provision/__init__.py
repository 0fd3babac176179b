"""Files for phones: one record of what a phone was given, file names as data, and templates that the files are rendered from."""
