-- Read by: what went wrong since an account was allowed to trade live, in every minute. Alerts are
-- never deleted, and nearly all of them tell of a sale.
CREATE INDEX alerts_critical ON alerts (timestamp) WHERE severity >= 5;
