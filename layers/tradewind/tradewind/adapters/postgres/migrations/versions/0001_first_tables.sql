-- The store of record. Prices are exact NUMERIC in USD, quantities NUMERIC in shares, times
-- timestamptz; connections speak UTC. Every index names the read it is there for. A table without
-- a foreign key where one might be expected says why: rows may arrive in any order.

-- NaN and Infinity are NUMERIC values to PostgreSQL; both lie at or above 'Infinity' in its order.
CREATE DOMAIN price AS numeric CHECK (value > 0 AND value < 'Infinity');
CREATE DOMAIN amount AS numeric CHECK (value > '-Infinity' AND value < 'Infinity');
CREATE DOMAIN share_quantity AS numeric CHECK (value >= 0 AND value < 'Infinity');
CREATE DOMAIN trading_mode AS text CHECK (value IN ('shadow', 'paper', 'live'));
CREATE DOMAIN order_side AS text CHECK (value IN ('buy', 'sell'));

-- ---------------------------------------------------------------------------------------- market

CREATE TABLE bars (
    symbol       text        NOT NULL,
    start        timestamptz NOT NULL,  -- first instant of the minute
    open         price       NOT NULL,
    high         price       NOT NULL,
    low          price       NOT NULL,
    close        price       NOT NULL,
    volume       bigint      NOT NULL CHECK (volume >= 0),
    feed         text        NOT NULL,
    in_session   boolean     NOT NULL,  -- regular trading hours
    recorded_at  timestamptz NOT NULL DEFAULT now(),
    corrected_at timestamptz,           -- when the provider last changed it; NULL: never
    -- Read by: newest bar of a symbol, newest N bars until a minute, highest high since an entry,
    -- sessions before a date. All of them walk one symbol by time. It contains "start", so that
    -- the table can be partitioned by it.
    PRIMARY KEY (symbol, start),
    CHECK (start = date_trunc('minute', start, 'UTC')),
    CHECK (low <= least(open, close) AND high >= greatest(open, close))
);

CREATE TABLE technical_indicators (
    symbol         text        NOT NULL,
    indicator_name text        NOT NULL,
    value          amount      NOT NULL,
    timestamp      timestamptz NOT NULL,  -- the bar's start
    recorded_at    timestamptz NOT NULL DEFAULT now(),
    -- Read by: one indicator of a symbol over time, for charts.
    PRIMARY KEY (symbol, indicator_name, timestamp)
);

-- ------------------------------------------------------------------------------------ prediction

CREATE TABLE models (
    model_version       text        PRIMARY KEY,
    sha256              text        NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    feature_fingerprint text        NOT NULL,
    trained_on          text        NOT NULL,
    created_at          timestamptz NOT NULL,
    card                jsonb       NOT NULL,
    registered_at       timestamptz NOT NULL DEFAULT now()
);

-- No key to models: a prediction may be made by a model before its registration arrives here.
CREATE TABLE predictions (
    prediction_id       uuid        PRIMARY KEY,
    symbol              text        NOT NULL,
    predicted_trend     text        NOT NULL CHECK (predicted_trend IN ('down', 'flat', 'up')),
    confidence          numeric     NOT NULL CHECK (confidence BETWEEN 0 AND 1),
    timestamp           timestamptz NOT NULL,  -- start of the newest bar the model saw
    model_version       text        NOT NULL,
    feature_fingerprint text        NOT NULL,
    stale               boolean     NOT NULL,
    recorded_at         timestamptz NOT NULL DEFAULT now()
);

-- ------------------------------------------------------------------------- cycles and decisions

CREATE TABLE cycles (
    account     text        NOT NULL,
    bar_time    timestamptz NOT NULL,
    session     date        NOT NULL,
    execution   text        NOT NULL,
    decided_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    -- Read by: the newest decided minute of an account.
    PRIMARY KEY (account, bar_time)
);

CREATE TABLE decisions (
    decision_id uuid           PRIMARY KEY,
    account     text           NOT NULL,
    strategy    text           NOT NULL,
    mode        trading_mode   NOT NULL,
    symbol      text           NOT NULL,
    bar_time    timestamptz    NOT NULL,
    wanted      text           NOT NULL CHECK (wanted IN ('enter', 'exit', 'hold', 'wait')),
    action      text           NOT NULL CHECK (action IN ('enter', 'exit', 'hold', 'wait')),
    reason_code text           NOT NULL,
    reason      text           NOT NULL,
    close       price          NOT NULL,  -- as decided on: a later correction of the bar stays out
    quantity    share_quantity NOT NULL,
    recorded_at timestamptz    NOT NULL DEFAULT now(),
    -- One decision of a strategy on a symbol and minute, whatever its id is made of.
    UNIQUE (account, bar_time, symbol, strategy, mode)
);

-- ---------------------------------------------------------------------------------------- orders

CREATE TABLE order_intents (
    intent_id       text           PRIMARY KEY CHECK (length(intent_id) BETWEEN 1 AND 48),
    account         text           NOT NULL,
    strategy        text           NOT NULL,
    mode            trading_mode   NOT NULL,
    session         date           NOT NULL,
    bar_time        timestamptz    NOT NULL,
    symbol          text           NOT NULL,
    kind            text           NOT NULL
        CHECK (kind IN ('entry', 'exit', 'protect', 'reprice', 'cancel_entry', 'cancel_stop')),
    side            order_side     NOT NULL,
    quantity        share_quantity NOT NULL CHECK (quantity > 0),
    order_type      text           NOT NULL CHECK (order_type IN ('market', 'limit', 'stop')),
    time_in_force   text           NOT NULL CHECK (time_in_force IN ('day', 'gtc')),
    order_class     text           NOT NULL CHECK (order_class IN ('simple', 'oto')),
    limit_price     price,
    stop_price      price,
    decision_price  price          NOT NULL,
    revision        integer        NOT NULL CHECK (revision >= 0),
    target_order_id text,
    expires_at      timestamptz,
    reason          text           NOT NULL,
    -- What became of it.
    status          text           NOT NULL DEFAULT 'pending' CHECK (status IN (
        'pending', 'unknown', 'submitted', 'rejected', 'blocked', 'expired_unsent', 'not_needed')),
    broker_order_id text,
    outcome_code    text,
    outcome_reason  text,
    outcome_at      timestamptz,
    -- How much is known: an outcome (2) beats unknown (1), unknown beats pending (0).
    certainty       smallint       NOT NULL GENERATED ALWAYS AS (
        CASE status WHEN 'pending' THEN 0 WHEN 'unknown' THEN 1 ELSE 2 END) STORED,
    recorded_at     timestamptz    NOT NULL DEFAULT now(),
    -- Long only: only entries buy, and every entry carries its stop. Only entries expire.
    CHECK ((kind = 'entry') = (side = 'buy')),
    CHECK (kind <> 'entry' OR stop_price IS NOT NULL),
    CHECK ((kind = 'entry') = (expires_at IS NOT NULL))
);
-- Read by: intents without outcome, each minute; the index holds only those.
CREATE INDEX order_intents_without_outcome ON order_intents (account, bar_time, intent_id)
    WHERE certainty < 2;
-- Read by: highest revision of a symbol; whether a symbol was ever ours.
CREATE INDEX order_intents_by_symbol ON order_intents (account, symbol, revision);

CREATE TABLE orders (
    account          text           NOT NULL,
    order_id         text           NOT NULL,
    client_order_id  text           NOT NULL,
    -- NULL: foreign. An intent is committed before its order can exist, so the key always holds.
    intent_id        text           REFERENCES order_intents,
    symbol           text           NOT NULL,
    side             order_side     NOT NULL,
    order_type       text           NOT NULL,
    order_class      text           NOT NULL,
    status           text           NOT NULL CHECK (status IN (
        'new', 'partially_filled', 'filled', 'done_for_day', 'canceled', 'expired', 'replaced',
        'pending_cancel', 'pending_replace', 'accepted', 'pending_new', 'accepted_for_bidding',
        'stopped', 'rejected', 'suspended', 'calculated', 'held')),
    final            boolean        NOT NULL GENERATED ALWAYS AS (
        status IN ('filled', 'canceled', 'expired', 'replaced', 'rejected')) STORED,
    quantity         share_quantity NOT NULL,
    filled_quantity  share_quantity NOT NULL,
    filled_avg_price price,
    limit_price      price,
    stop_price       price,
    time_in_force    text           NOT NULL,
    parent_order_id  text,          -- no key: a leg may be told before its parent
    replaces         text,          -- no key: likewise
    submitted_at     timestamptz    NOT NULL,
    updated_at       timestamptz    NOT NULL,
    as_of            timestamptz    NOT NULL,  -- when the broker was asked
    recorded_at      timestamptz    NOT NULL DEFAULT now(),
    -- Client ids are unique at the broker and in order_intents. They are not made unique here:
    -- whatever the broker says must be storable.
    PRIMARY KEY (account, order_id)
);
-- Read by: open orders, each minute; the index holds only those.
CREATE INDEX orders_open ON orders (account, submitted_at, order_id) WHERE NOT final;
-- Read by: which intent an order of the last days belongs to.
CREATE INDEX orders_by_update ON orders (account, updated_at);
-- Read by: the upsert, which finds an owner for legs that were told before their parent.
CREATE INDEX orders_without_owner ON orders (account, order_id)
    WHERE intent_id IS NULL AND (parent_order_id IS NOT NULL OR replaces IS NOT NULL);

-- No key to orders: an execution may be told before its order.
CREATE TABLE fills (
    account      text           NOT NULL,
    execution_id text           NOT NULL,
    order_id     text           NOT NULL,
    symbol       text           NOT NULL,
    side         order_side     NOT NULL,
    quantity     share_quantity NOT NULL CHECK (quantity > 0),
    price        price          NOT NULL,
    at           timestamptz    NOT NULL,
    recorded_at  timestamptz    NOT NULL DEFAULT now(),
    PRIMARY KEY (account, execution_id)
);

-- ------------------------------------------------------------------------------------- portfolio

-- Our books (from fills) on the left, the broker's word on the right. saved_at is NULL where we
-- never traded: the position is foreign. broker_as_of is NULL until the broker was asked.
CREATE TABLE positions (
    account               text           NOT NULL,
    symbol                text           NOT NULL,
    strategy              text           NOT NULL DEFAULT '',
    quantity              share_quantity NOT NULL DEFAULT 0,
    cost                  amount         NOT NULL DEFAULT 0 CHECK (cost >= 0),
    realised_pnl          amount         NOT NULL DEFAULT 0,
    opened_at             timestamptz,
    saved_at              timestamptz,
    broker_quantity       amount         NOT NULL DEFAULT 0,
    broker_avg_price      amount         NOT NULL DEFAULT 0,
    broker_price          amount         NOT NULL DEFAULT 0,
    broker_unrealised_pnl amount         NOT NULL DEFAULT 0,
    broker_as_of          timestamptz,
    -- Read by: all positions of an account.
    PRIMARY KEY (account, symbol),
    CHECK ((quantity > 0) = (opened_at IS NOT NULL))
);

CREATE TABLE trades (
    trade_id     uuid           PRIMARY KEY,
    account      text           NOT NULL,
    execution_id text           NOT NULL,
    symbol       text           NOT NULL,
    side         order_side     NOT NULL,
    price        price          NOT NULL,
    timestamp    timestamptz    NOT NULL,
    order_id     text           NOT NULL,
    intent_id    text           REFERENCES order_intents,
    status       text           NOT NULL CHECK (status IN ('partially_filled', 'filled')),
    fill_qty     share_quantity NOT NULL CHECK (fill_qty > 0),
    fill_price   price          NOT NULL,
    realised_pnl amount,        -- NULL for purchases
    recorded_at  timestamptz    NOT NULL DEFAULT now(),
    -- One execution is one trade, and it is written with its fill.
    UNIQUE (account, execution_id),
    FOREIGN KEY (account, execution_id) REFERENCES fills
);

CREATE TABLE paper_trades (
    trade_id    uuid        PRIMARY KEY,
    symbol      text        NOT NULL,
    entry_price price       NOT NULL,
    exit_price  price,      -- NULL while the position is open
    profit_loss amount,     -- likewise
    timestamp   timestamptz NOT NULL
);

CREATE TABLE account_snapshots (
    account         text        NOT NULL,
    as_of           timestamptz NOT NULL,
    account_number  text        NOT NULL,
    status          text        NOT NULL,
    equity          amount      NOT NULL,
    last_equity     amount      NOT NULL,
    cash            amount      NOT NULL,
    buying_power    amount      NOT NULL,
    trading_blocked boolean     NOT NULL,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    -- Read by: an account's newest snapshot; its equity over time.
    PRIMARY KEY (account, as_of)
);

-- --------------------------------------------------------------------------- trade log and alerts

-- No key to trades: the log is apart from the trading path and may run ahead of a restore.
CREATE TABLE trade_events (
    event_id    uuid           PRIMARY KEY,
    trade_id    uuid           NOT NULL,
    symbol      text           NOT NULL,
    price       price          NOT NULL,
    quantity    share_quantity NOT NULL,
    timestamp   timestamptz    NOT NULL,
    event_type  text           NOT NULL,
    recorded_at timestamptz    NOT NULL DEFAULT now()
);

CREATE TABLE alerts (
    alert_id    uuid        PRIMARY KEY,
    type        text        NOT NULL,
    severity    integer     NOT NULL CHECK (severity BETWEEN 1 AND 5),
    message     text        NOT NULL,
    timestamp   timestamptz NOT NULL,
    dedupe_key  text        NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE alerts_log (
    alert_id            uuid        NOT NULL REFERENCES alerts,
    escalation_level    integer     NOT NULL CHECK (escalation_level >= 0),
    notification_status text        NOT NULL,
    timestamp           timestamptz NOT NULL,
    user_id             text        NOT NULL,  -- an anonymised id, never a name or an address
    recorded_at         timestamptz NOT NULL DEFAULT now(),
    -- The same line twice is one line. Read by: an alert's way to people.
    PRIMARY KEY (alert_id, timestamp, escalation_level, notification_status, user_id)
);

CREATE TABLE outbox (
    message_id   uuid        PRIMARY KEY,
    topic        text        NOT NULL CHECK (topic IN ('trade-events', 'alerts')),
    message      jsonb       NOT NULL,
    created_at   timestamptz NOT NULL,
    sent_at      timestamptz,
    entry_number bigint      NOT NULL GENERATED ALWAYS AS IDENTITY
);
-- Read by: what is still to be published; the index holds only that.
CREATE INDEX outbox_unsent ON outbox (created_at, entry_number) WHERE sent_at IS NULL;
