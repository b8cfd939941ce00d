-- An order may be of any type, class and time in force that the broker takes. (Revision 0001 named
-- the ones it had use for.)
ALTER TABLE order_intents
    DROP CONSTRAINT order_intents_order_type_check,
    DROP CONSTRAINT order_intents_time_in_force_check,
    DROP CONSTRAINT order_intents_order_class_check,
    ADD CHECK (order_type IN ('market', 'limit', 'stop', 'stop_limit', 'trailing_stop')),
    ADD CHECK (time_in_force IN ('day', 'gtc', 'opg', 'cls', 'ioc', 'fok')),
    ADD CHECK (order_class IN ('simple', 'bracket', 'oto', 'oco'));
-- Read by: how often in a row protection of a symbol was refused.
CREATE INDEX order_intents_protecting ON order_intents (account, bar_time) WHERE kind = 'protect';

ALTER TABLE orders
    -- A state that the broker has words for and we do not is still an order's state.
    DROP CONSTRAINT orders_status_check,
    ADD CHECK (status IN (
        'new', 'partially_filled', 'filled', 'done_for_day', 'canceled', 'expired', 'replaced',
        'pending_cancel', 'pending_replace', 'accepted', 'pending_new', 'accepted_for_bidding',
        'stopped', 'rejected', 'suspended', 'calculated', 'held', 'unrecognised')),
    -- Since when the broker says that more is filled than it tells executions of; NULL: it does not.
    ADD COLUMN fills_missing_since timestamptz,
    -- The newest snapshot that showed the order as a second deployment's; NULL: never.
    ADD COLUMN stranger_as_of timestamptz;
-- Read by: orders that wait for executions.
CREATE INDEX orders_missing_fills ON orders (account) WHERE fills_missing_since IS NOT NULL;
-- Read by: a second deployment's orders in the newest snapshot.
CREATE INDEX orders_of_strangers ON orders (account, stranger_as_of)
    WHERE stranger_as_of IS NOT NULL;

ALTER TABLE fills
    -- The order's filled quantity after it; NULL: the broker did not say.
    ADD COLUMN cumulative share_quantity,
    -- Not told by the broker but concluded from its order, when the execution stayed missing.
    ADD COLUMN synthetic boolean NOT NULL GENERATED ALWAYS AS (
        starts_with(execution_id, 'synthetic-')) STORED;
-- Read by: what is booked of an order.
CREATE INDEX fills_of_order ON fills (account, order_id);

-- Since when our quantity and the broker's differ with nothing at work in the symbol.
ALTER TABLE positions ADD COLUMN differs_since timestamptz;

-- ------------------------------------------------------------------------------------------ cash

-- What changed the account's cash without an execution: fees, dividends, interest, transfers.
CREATE TABLE cash_activities (
    account     text        NOT NULL,
    activity_id text        NOT NULL,
    kind        text        NOT NULL,  -- the broker's word
    amount      amount      NOT NULL,  -- USD, negative for what was paid
    day         date        NOT NULL,  -- New York's
    symbol      text,
    description text        NOT NULL,
    told_at     timestamptz NOT NULL,  -- when the snapshot that first told it was read
    recorded_at timestamptz NOT NULL DEFAULT now(),
    -- Read by: an account's activities.
    PRIMARY KEY (account, activity_id)
);

-- What an account's cash should be: what the first snapshot said, and what has moved it since. The
-- reckoning is carried on with each execution and activity, in the transaction that writes it.
CREATE TABLE cash_reckonings (
    account       text        PRIMARY KEY,
    baseline      amount      NOT NULL,  -- the first snapshot's cash
    baseline_at   timestamptz NOT NULL,  -- when that was read; what came before is in it
    expected      amount      NOT NULL,
    newest_fill   timestamptz,           -- of the executions counted in; NULL: none yet
    differs_since timestamptz,           -- since when the broker says otherwise; NULL: it agrees
    recorded_at   timestamptz NOT NULL DEFAULT now()
);

-- ------------------------------------------------------------------------------- trading switch

-- Who changed the trading switch, and why. The switch itself lies in the control table; this is
-- the record of it, written by whoever records next. Rows are only added.
CREATE TABLE switch_changes (
    account     text        NOT NULL,
    number      bigint      NOT NULL CHECK (number > 0),  -- counts an account's changes from 1
    state       text        NOT NULL CHECK (state IN ('ACTIVE', 'REDUCING', 'HALTED')),
    previous    text        NOT NULL CHECK (previous IN ('ACTIVE', 'REDUCING', 'HALTED')),
    who         text        NOT NULL,
    why         text        NOT NULL,
    at          timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    -- Read by: an account's changes in their order.
    PRIMARY KEY (account, number)
);
