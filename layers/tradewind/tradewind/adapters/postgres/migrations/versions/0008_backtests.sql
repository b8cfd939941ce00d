-- Backtests by what was asked of which bars. A row is the newest run of its question: asked again
-- when its hour is over, or after a failure, the question is run anew in the same row.
CREATE TABLE backtests (
    backtest_id   text        PRIMARY KEY CHECK (backtest_id ~ '^[0-9a-f]{32}$'),
    requested_at  timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,  -- until then the same question gets this answer
    state         text        NOT NULL CHECK (state IN ('requested', 'running', 'done', 'failed')),
    data_hash     text        NOT NULL CHECK (data_hash ~ '^[0-9a-f]{64}$'),  -- of the bars
    request       jsonb       NOT NULL,
    trials        integer     NOT NULL CHECK (trials > 0),  -- variants tried; 1 of a run
    result        jsonb,  -- of a run its metrics, of a sweep its best trials
    result_key    text,   -- of the object with the trades or all trials
    result_sha256 text        CHECK (result_sha256 ~ '^[0-9a-f]{64}$'),
    reason        text,   -- why it failed
    finished_at   timestamptz,
    CHECK ((state = 'done') = (result IS NOT NULL AND result_key IS NOT NULL)),
    CHECK ((state = 'failed') = (reason IS NOT NULL))
);

-- Read by: how many are under way.
CREATE INDEX backtests_under_way ON backtests (requested_at)
    WHERE state IN ('requested', 'running');
