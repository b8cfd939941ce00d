-- What was known before a bar came late or was corrected. Written by the statement that writes the
-- bar; rows are only added.
CREATE TABLE bar_traces (
    symbol      text        NOT NULL,
    start       timestamptz NOT NULL,
    received_at timestamptz NOT NULL,  -- when the new values arrived
    kind        text        NOT NULL CHECK (kind IN ('late', 'corrected')),
    old_open    price,                 -- the old values are NULL for a late bar: there were none
    old_high    price,
    old_low     price,
    old_close   price,
    old_volume  bigint,
    old_feed    text,
    open        price       NOT NULL,
    high        price       NOT NULL,
    low         price       NOT NULL,
    close       price       NOT NULL,
    volume      bigint      NOT NULL,
    feed        text        NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    -- Read by: the traces of a symbol over time.
    PRIMARY KEY (symbol, start, received_at),
    CHECK (num_nulls(old_open, old_high, old_low, old_close, old_volume, old_feed)
           = CASE kind WHEN 'late' THEN 6 ELSE 0 END)
);

-- When a provider was first and last seen to have no bar of a minute. Which minutes were received
-- is told by bars alone, so that the two cannot drift apart.
CREATE TABLE empty_looks (
    symbol     text        NOT NULL,
    start      timestamptz NOT NULL,
    first_look timestamptz NOT NULL,
    last_look  timestamptz NOT NULL CHECK (last_look >= first_look),
    -- Enough to say that the minute had no trade, as market.gap_ledger.Looks.confirm says it.
    confirmed  boolean     NOT NULL GENERATED ALWAYS AS (
        last_look - first_look >= interval '1 minute'
        OR last_look - start >= interval '16 minutes') STORED,
    -- Read by: the looks of a symbol in a session.
    PRIMARY KEY (symbol, start)
);

-- A split as it became known: "new_rate" shares for "old_rate" held, from the session of
-- "effective" (a New York date) on. Rows are only added: later knowledge is another row.
CREATE TABLE split_factors (
    symbol      text        NOT NULL,
    effective   date        NOT NULL,
    known_at    timestamptz NOT NULL,
    new_rate    amount      NOT NULL CHECK (new_rate > 0),
    old_rate    amount      NOT NULL CHECK (old_rate > 0),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    -- Read by: all factors of a symbol; the last known one of a session.
    PRIMARY KEY (symbol, effective, known_at)
);

-- A jump of a split's size that nobody told of; open until a factor answers it.
CREATE TABLE suspected_splits (
    symbol            text        NOT NULL,
    effective         date        NOT NULL,
    ratio_numerator   bigint      NOT NULL CHECK (ratio_numerator > 0),
    ratio_denominator bigint      NOT NULL CHECK (ratio_denominator > 0),
    before_start      timestamptz NOT NULL,
    before_close      price       NOT NULL,
    after_price       price       NOT NULL,
    seen_at           timestamptz NOT NULL,
    recorded_at       timestamptz NOT NULL DEFAULT now(),
    -- Read by: all suspicions of a symbol.
    PRIMARY KEY (symbol, effective)
);

-- ----------------------------------------------------------------------------------- predictions

-- Read by: a symbol's last good prediction, when inference fails.
CREATE INDEX predictions_of_symbol ON predictions (symbol, timestamp DESC);
