-- Schema 7: the last time that is known to have passed: a machine may start with a clock that is behind it.

CREATE TABLE clock (
    name TEXT NOT NULL PRIMARY KEY,
    at   REAL NOT NULL
) WITHOUT ROWID;
