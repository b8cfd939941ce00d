-- Entries stand still: in one symbol, or (NULL) in all. Written by the run that finds the reason;
-- the id is made of what the lock came of, so that finding it again adds nothing. Rows are only
-- added: a lock ends by its own time.
CREATE TABLE locks (
    lock_id     uuid        PRIMARY KEY,
    account     text        NOT NULL,
    symbol      text,
    since       timestamptz NOT NULL,
    until       timestamptz NOT NULL,
    code        text        NOT NULL,
    reason      text        NOT NULL,
    key         text        NOT NULL,  -- what it came of, see risk.locks
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CHECK (until >= since)
);
-- Read by: the locks that have not ended, each minute; all of an account, newest first.
CREATE INDEX locks_by_end ON locks (account, until);

-- How an account did, one row a session: the newest look of each (risk.equity.EquityMark).
CREATE TABLE equity_marks (
    account     text        NOT NULL,
    session     date        NOT NULL,
    as_of       timestamptz NOT NULL,
    equity      amount      NOT NULL,  -- USD
    transfers   amount      NOT NULL,  -- USD moved in (out: negative) in the session so far
    index       amount      NOT NULL,  -- 1 at the first mark, grows with each return
    peak        amount      NOT NULL CHECK (peak > 0),
    peak_at     timestamptz NOT NULL,
    peak_before amount      NOT NULL,  -- before this session
    recorded_at timestamptz NOT NULL DEFAULT now(),
    -- Read by: an account's newest mark; its equity over sessions.
    PRIMARY KEY (account, session)
);

-- How the brokerage account is set up, as read with a session's first snapshot.
CREATE TABLE account_configurations (
    account               text        NOT NULL,
    as_of                 timestamptz NOT NULL,
    no_shorting           boolean     NOT NULL,
    max_margin_multiplier text        NOT NULL,  -- the broker's word: "1" is no borrowed money
    suspend_trade         boolean     NOT NULL,
    untradable            text[]      NOT NULL,  -- of our symbols, those the broker does not trade
    recorded_at           timestamptz NOT NULL DEFAULT now(),
    -- Read by: an account's newest one.
    PRIMARY KEY (account, as_of)
);

-- Read by: the round trips of the last sessions.
CREATE INDEX trades_by_time ON trades (account, timestamp);
-- Read by: what a session has committed to entries; the index holds only those.
CREATE INDEX order_intents_entering ON order_intents (account, session) WHERE kind = 'entry';
-- Read by: what was moved in or out on a day.
CREATE INDEX cash_activities_by_day ON cash_activities (account, day);
-- Read by: the intents of a session whose orders the broker has to show, each minute.
CREATE INDEX order_intents_sent ON order_intents (account, bar_time) WHERE status = 'submitted';
