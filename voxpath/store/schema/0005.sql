-- Schema 5: several leases of one address, each with a port block of its own (RFC 7618).
-- first_port is 0 where an address is one phone's alone, so that it still has one lease only.

CREATE TABLE lease_5 (
    mac         TEXT NOT NULL PRIMARY KEY,
    client_id   BLOB NOT NULL,
    scope       TEXT NOT NULL,
    address     TEXT NOT NULL,
    phone_class TEXT NOT NULL,
    host_name   TEXT NOT NULL,
    expires     REAL NOT NULL,
    first_port  INTEGER NOT NULL CHECK (first_port BETWEEN 0 AND 65535),
    UNIQUE (scope, address, first_port)
) WITHOUT ROWID;

INSERT INTO lease_5 SELECT mac, client_id, scope, address, phone_class, host_name, expires, 0 FROM lease;
DROP TABLE lease;
ALTER TABLE lease_5 RENAME TO lease;

-- Changes of the journal have leases as they were: whoever lacks some of them gets a snapshot instead.
-- The last one is the store's position, and its changes are never read.
DELETE FROM journal WHERE generation < (SELECT max(generation) FROM journal);
