-- What each function group may do. Applied after every migration, as a whole: whatever is not
-- written here is taken away, and a new table belongs to nobody until it is named here.
DO $$
BEGIN
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO tw_read, tw_trade, tw_record, tw_acknowledge, '
                   'tw_maintain, tw_govern, tw_report, tw_research', current_database());
END
$$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA public
    FROM PUBLIC, tw_read, tw_trade, tw_record, tw_acknowledge, tw_maintain, tw_govern, tw_report,
    tw_research;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public
    FROM PUBLIC, tw_read, tw_trade, tw_record, tw_acknowledge, tw_maintain, tw_govern, tw_report,
    tw_research;

GRANT USAGE ON SCHEMA public
    TO tw_read, tw_trade, tw_record, tw_acknowledge, tw_maintain, tw_govern, tw_report, tw_research;
GRANT SELECT ON alembic_version
    TO tw_read, tw_trade, tw_record, tw_acknowledge, tw_maintain, tw_govern, tw_report, tw_research;

-- query_api; the reports that people ask for
GRANT SELECT ON bars, latest_bars, bar_traces, empty_looks, split_factors, suspected_splits
    TO tw_read;
GRANT SELECT ON cycles, orders, positions, account_snapshots, locks TO tw_read;
GRANT SELECT ON decisions, order_intents, trades, cash_activities, alerts, equity_marks TO tw_read;
GRANT SELECT ON position_splits, corporate_actions TO tw_read;
-- query_api: what backtests came to
GRANT SELECT ON backtests TO tw_read;

-- daily_report
GRANT SELECT ON bars, split_factors, suspected_splits, cycles, orders, positions, account_snapshots,
    locks, decisions, order_intents, trades, cash_activities, alerts, equity_marks,
    position_splits, corporate_actions TO tw_report;
GRANT SELECT, INSERT, UPDATE ON session_divergences TO tw_report;

-- compute_features, assess_risk
GRANT SELECT, INSERT, UPDATE ON bars, latest_bars, technical_indicators, empty_looks TO tw_trade;
GRANT SELECT, INSERT ON bar_traces, split_factors, suspected_splits, corporate_actions TO tw_trade;
GRANT SELECT, INSERT ON predictions, decisions, order_intents, cycles TO tw_trade;
GRANT SELECT ON orders, positions, account_snapshots TO tw_trade;
GRANT SELECT ON trades, cash_activities, equity_marks, account_configurations TO tw_trade;
GRANT SELECT, INSERT ON locks TO tw_trade;
GRANT SELECT (message_id), INSERT ON outbox TO tw_trade;
-- Whether entries are allowed, and how large: what it reads here it cannot write.
GRANT SELECT ON position_splits, paper_runs, live_approvals, switch_changes, alerts TO tw_trade;

-- record_broker_state, record_orders, log_trades, record_alert
GRANT SELECT, UPDATE (status, broker_order_id, outcome_code, outcome_reason, outcome_at)
    ON order_intents TO tw_record;
GRANT SELECT, UPDATE (finished_at) ON cycles TO tw_record;
GRANT SELECT, INSERT, UPDATE ON orders, positions TO tw_record;
GRANT SELECT, INSERT ON fills, trades, account_snapshots, trade_events, alerts, alerts_log
    TO tw_record;
GRANT SELECT, INSERT ON cash_activities, switch_changes TO tw_record;
GRANT SELECT, INSERT, UPDATE (expected, newest_fill, differs_since) ON cash_reckonings TO tw_record;
GRANT SELECT, INSERT, UPDATE ON equity_marks TO tw_record;
GRANT SELECT, INSERT ON account_configurations TO tw_record;
GRANT SELECT, INSERT, UPDATE (sent_at) ON outbox TO tw_record;
GRANT SELECT, INSERT, UPDATE ON paper_trades TO tw_record;
GRANT SELECT, INSERT ON position_splits TO tw_record;
GRANT SELECT ON split_factors, suspected_splits TO tw_record;

-- What people decide: paper trading is started and stopped, live trading approved. Whoever decides
-- on trades cannot write it.
GRANT SELECT, INSERT ON paper_runs, live_approvals TO tw_govern;
GRANT SELECT ON cycles, decisions, order_intents, trades, paper_trades, positions,
    account_snapshots, alerts, alerts_log, switch_changes, session_divergences TO tw_govern;

-- the acknowledgement of alerts, which comes from outside
GRANT SELECT ON alerts TO tw_acknowledge;
GRANT SELECT, INSERT ON alerts_log TO tw_acknowledge;

-- maintain_database: reads bars to archive them, and changes them through functions alone, which
-- act as the owner. Owning the partitions instead, it could empty or alter them at will.
GRANT SELECT ON bars, bar_archives TO tw_maintain;
GRANT SELECT (message_id), INSERT ON outbox TO tw_maintain;
GRANT EXECUTE ON FUNCTION bar_months, stray_bar_months, bar_symbols, bar_lines,
    ensure_bar_partitions, drop_archived_bars TO tw_maintain;

-- register_backtest, plan_backtest, record_backtest: research reads bars and writes what came of
-- them, and sees nothing of trading.
GRANT SELECT ON bars, bar_archives, split_factors, suspected_splits TO tw_research;
GRANT SELECT, INSERT, UPDATE ON backtests TO tw_research;
