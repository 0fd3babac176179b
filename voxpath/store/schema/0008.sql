-- Schema 8: addresses that a phone declined, which nobody gets for a while.

CREATE TABLE probation (
    address TEXT NOT NULL PRIMARY KEY,
    scope   TEXT NOT NULL,
    mac     TEXT NOT NULL,
    until   REAL NOT NULL
) WITHOUT ROWID;
