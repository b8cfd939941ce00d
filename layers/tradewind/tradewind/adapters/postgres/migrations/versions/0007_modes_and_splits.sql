-- A stop that rests in the units of before a split is cancelled and put again.
ALTER TABLE order_intents
    DROP CONSTRAINT order_intents_kind_check,
    ADD CHECK (kind IN (
        'entry', 'exit', 'protect', 'reprice', 'cancel_entry', 'cancel_stop', 'renew_stop'));

-- Which splits our books have carried out. A row is written with the position it changed, so that
-- no split is carried out twice.
CREATE TABLE position_splits (
    account         text           NOT NULL,
    symbol          text           NOT NULL,
    effective       date           NOT NULL,  -- the first session at the new price
    new_rate        share_quantity NOT NULL CHECK (new_rate > 0),  -- so many shares became
    old_rate        share_quantity NOT NULL CHECK (old_rate > 0),  -- of so many
    quantity_before share_quantity NOT NULL,
    quantity_after  share_quantity NOT NULL,
    cost_before     amount         NOT NULL,
    cost_after      amount         NOT NULL,  -- less than before: a fraction was paid out
    seen_at         timestamptz    NOT NULL,  -- of the snapshot that showed the new units
    recorded_at     timestamptz    NOT NULL DEFAULT now(),
    -- Read by: what is done already of a symbol's splits. Splits of one symbol that were seen
    -- together carry the same quantities: those before the first and after the last.
    PRIMARY KEY (account, symbol, effective)
);

-- Who started and stopped the paper trading of a symbol. Rows are only added; the newest one of
-- (account, symbol) counts, and without any the symbol trades as it is configured.
CREATE TABLE paper_runs (
    account     text        NOT NULL,
    strategy    text        NOT NULL,
    symbol      text        NOT NULL,
    number      integer     NOT NULL CHECK (number > 0),  -- counts the changes from 1
    state       text        NOT NULL CHECK (state IN ('started', 'stopped')),
    who         text        NOT NULL CHECK (who <> ''),
    why         text        NOT NULL CHECK (why <> ''),
    at          timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    -- Read by: an account's newest changes.
    PRIMARY KEY (account, strategy, symbol, number)
);

-- The written checks that allowed an account to trade with real money. Rows are only added.
CREATE TABLE live_approvals (
    account     text        NOT NULL,
    number      integer     NOT NULL CHECK (number > 0),  -- counts an account's approvals from 1
    who         text        NOT NULL CHECK (who <> ''),
    why         text        NOT NULL CHECK (why <> ''),
    at          timestamptz NOT NULL,
    sessions    integer     NOT NULL CHECK (sessions >= 0),     -- traded on paper
    round_trips integer     NOT NULL CHECK (round_trips >= 0),  -- closed on paper
    -- From the backtests, as fractions of equity: the sessions' mean distance, and the furthest one.
    divergence       amount NOT NULL CHECK (divergence >= 0),
    worst_divergence amount NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    -- Read by: an account's newest approval.
    PRIMARY KEY (account, number)
);

-- How far each session's profit lay from that of a backtest of the same bars, as its daily report
-- found it.
CREATE TABLE session_divergences (
    account       text         NOT NULL,
    session       date         NOT NULL,
    mode          trading_mode,           -- NULL: in none, or in several
    equity        amount,                 -- at the previous close; NULL: the broker was not read
    difference    amount,                 -- live less backtest, USD; NULL: nothing was compared
    share         amount       NOT NULL CHECK (share BETWEEN 0 AND 1),  -- of it that was compared
    matched       integer      NOT NULL CHECK (matched >= 0),        -- trades of both
    only_live     integer      NOT NULL CHECK (only_live >= 0),
    only_backtest integer      NOT NULL CHECK (only_backtest >= 0),
    remarks       text         NOT NULL,  -- what was not compared, and what one side alone knew
    recorded_at   timestamptz  NOT NULL DEFAULT now(),
    -- Read by: all sessions in a mode, by the check between paper and live.
    PRIMARY KEY (account, session)
);

-- Whose alert it is; NULL: it concerns all accounts (bars, the calendar), or it is from before.
ALTER TABLE alerts ADD COLUMN account text;
