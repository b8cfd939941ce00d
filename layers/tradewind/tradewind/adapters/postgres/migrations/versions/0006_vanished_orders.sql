-- An order that was open and that the broker does not know any more is over by our own judgement.
ALTER TABLE orders
    DROP CONSTRAINT orders_status_check,
    ADD CHECK (status IN (
        'new', 'partially_filled', 'filled', 'done_for_day', 'canceled', 'expired', 'replaced',
        'pending_cancel', 'pending_replace', 'accepted', 'pending_new', 'accepted_for_bidding',
        'stopped', 'rejected', 'suspended', 'calculated', 'held', 'unrecognised', 'not_known')),
    ALTER COLUMN final SET EXPRESSION AS (
        status IN ('filled', 'canceled', 'expired', 'replaced', 'rejected', 'not_known'));
