CREATE TABLE IF NOT EXISTS towergate_state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    version INTEGER NOT NULL,
    told_after INTEGER NOT NULL,
    hash TEXT
);
INSERT INTO towergate_state (one, version, told_after) VALUES (1, 0, 0) ON CONFLICT DO NOTHING;
CREATE TABLE IF NOT EXISTS towergate_entities (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    entity TEXT NOT NULL,
    key TEXT,
    PRIMARY KEY (kind, id)
);
CREATE TABLE IF NOT EXISTS towergate_changes (
    version INTEGER NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (version, kind, id)
) WITHOUT ROWID;
