-- Schema 6: whether a lease is that of a phone that has its address by hand and asked by INFORM; these are counted, and they age.
-- Those of before are for ever, as their phones were promised.

ALTER TABLE lease ADD COLUMN static INTEGER NOT NULL DEFAULT 0 CHECK (static IN (0, 1));

-- Changes of the journal have leases as they were: whoever lacks some of them gets a snapshot instead.
-- The last one is the store's position, and its changes are never read.
DELETE FROM journal WHERE generation < (SELECT max(generation) FROM journal);
