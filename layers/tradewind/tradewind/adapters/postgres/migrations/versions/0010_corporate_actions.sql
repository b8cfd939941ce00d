-- A corporate action that changes what a share is, other than a split, as it became known: from
-- "effective" (a New York date) on. Rows are only added: later knowledge of an action, such as
-- another date, is another row.
CREATE TABLE corporate_actions (
    action_id   text        NOT NULL,  -- the provider's
    symbol      text        NOT NULL,  -- whose share changes
    kind        text        NOT NULL,
    effective   date        NOT NULL,
    known_at    timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    -- Read by: what was known last of an action.
    PRIMARY KEY (action_id, known_at)
);

-- Read by: the actions of the symbols that are traded or held, in every minute.
CREATE INDEX corporate_actions_of_symbol ON corporate_actions (symbol);
