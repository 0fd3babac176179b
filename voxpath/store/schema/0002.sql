-- Schema 2: bindings of SIP contacts to addresses-of-record.

CREATE TABLE contact (
    aor         TEXT NOT NULL,
    key         TEXT NOT NULL,
    uri         TEXT NOT NULL,
    q           INTEGER NOT NULL CHECK (q BETWEEN 0 AND 1000),
    source_host TEXT NOT NULL,
    source_port INTEGER NOT NULL CHECK (source_port BETWEEN 1 AND 65535),
    call_id     TEXT NOT NULL,
    cseq        INTEGER NOT NULL,
    expires     REAL NOT NULL,
    since       REAL NOT NULL,
    agent       TEXT NOT NULL,
    phone       TEXT NOT NULL,
    PRIMARY KEY (aor, key)
) WITHOUT ROWID;
