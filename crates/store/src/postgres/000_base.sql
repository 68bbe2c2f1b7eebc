CREATE TABLE IF NOT EXISTS towergate_state (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    version bigint NOT NULL,
    told_after bigint NOT NULL,
    hash text
);
INSERT INTO towergate_state (version, told_after) VALUES (0, 0) ON CONFLICT DO NOTHING;
CREATE TABLE IF NOT EXISTS towergate_entities (
    kind text NOT NULL,
    id uuid NOT NULL,
    entity json NOT NULL,
    key text,
    PRIMARY KEY (kind, id)
);
CREATE TABLE IF NOT EXISTS towergate_changes (
    version bigint NOT NULL,
    kind text NOT NULL,
    id uuid NOT NULL,
    PRIMARY KEY (version, kind, id)
);
