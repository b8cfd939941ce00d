"""The daily report: what was traded, what it earned, what it cost, what was refused and why."""
