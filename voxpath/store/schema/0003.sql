-- Schema 3: Ethernet addresses that an operator has adopted: they are served although the configuration does not name them.

CREATE TABLE adoption (
    mac   TEXT NOT NULL PRIMARY KEY,
    since REAL NOT NULL
) WITHOUT ROWID;
