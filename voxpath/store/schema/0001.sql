-- Schema 1. Addresses are text so that an operator can read the file with the sqlite3 program.

CREATE TABLE block (
    holder     TEXT NOT NULL PRIMARY KEY,
    public     TEXT NOT NULL,
    first      INTEGER NOT NULL CHECK (first BETWEEN 1 AND 65535),
    size       INTEGER NOT NULL CHECK (size IN (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)),
    private    TEXT,
    realm      TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('held', 'released')),
    until      REAL NOT NULL,
    generation INTEGER NOT NULL,
    CHECK (first % size = 0 AND first + size <= 65536)
) WITHOUT ROWID;

CREATE UNIQUE INDEX block_place ON block (public, first);

-- Two owners of one port are impossible.
-- Blocks in the table are disjoint, so the nearest row below and the rows inside are all that can overlap.
CREATE TRIGGER block_insert_overlap BEFORE INSERT ON block
BEGIN
    SELECT RAISE(ABORT, 'the port block overlaps another one')
    WHERE EXISTS (
        SELECT 1 FROM block
        WHERE public = NEW.public AND first >= NEW.first AND first < NEW.first + NEW.size AND holder <> NEW.holder
    ) OR EXISTS (
        SELECT 1 FROM (
            SELECT first, size FROM block
            WHERE public = NEW.public AND first < NEW.first AND holder <> NEW.holder ORDER BY first DESC LIMIT 1
        ) WHERE first + size > NEW.first
    );
END;

CREATE TRIGGER block_update_overlap BEFORE UPDATE OF public, first, size ON block
BEGIN
    SELECT RAISE(ABORT, 'the port block overlaps another one')
    WHERE EXISTS (
        SELECT 1 FROM block
        WHERE public = NEW.public AND first >= NEW.first AND first < NEW.first + NEW.size AND holder <> NEW.holder
    ) OR EXISTS (
        SELECT 1 FROM (
            SELECT first, size FROM block
            WHERE public = NEW.public AND first < NEW.first AND holder <> NEW.holder ORDER BY first DESC LIMIT 1
        ) WHERE first + size > NEW.first
    );
END;

CREATE TABLE lease (
    mac         TEXT NOT NULL PRIMARY KEY,
    client_id   BLOB NOT NULL,
    scope       TEXT NOT NULL,
    address     TEXT NOT NULL,
    phone_class TEXT NOT NULL,
    host_name   TEXT NOT NULL,
    expires     REAL NOT NULL,
    UNIQUE (scope, address)
) WITHOUT ROWID;

CREATE TABLE registration (
    mid          TEXT NOT NULL,
    public_host  TEXT NOT NULL,
    public_port  INTEGER NOT NULL,
    contact_host TEXT NOT NULL,
    contact_port INTEGER NOT NULL,
    private      TEXT,
    realm        TEXT NOT NULL,
    phone        TEXT NOT NULL,
    terminations TEXT NOT NULL,
    since        REAL NOT NULL,
    version      INTEGER NOT NULL,
    PRIMARY KEY (mid, public_host)
) WITHOUT ROWID;
