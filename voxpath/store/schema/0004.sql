-- Schema 4: the last commit groups, for a standby that was away (DHC-19).
-- A position is a generation together with the epoch that wrote it: two stores that have the same position have the same past.

CREATE TABLE journal (
    generation INTEGER NOT NULL PRIMARY KEY,
    epoch      TEXT NOT NULL,
    changes    BLOB NOT NULL
);
