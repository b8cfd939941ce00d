"""Speed and size, measured. ``make bench`` prints what ``results.md`` records."""
