"""Everything that touches the world, each behind a Protocol that a subject owns."""
