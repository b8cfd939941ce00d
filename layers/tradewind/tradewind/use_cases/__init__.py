"""One function per thing the system does, taking adapters as arguments."""
