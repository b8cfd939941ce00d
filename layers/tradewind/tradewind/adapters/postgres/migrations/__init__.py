"""Alembic revisions: each is a raw SQL file beside a small Python file that names it.

Revisions are numbered 0001, 0002, ... in one line. Each must leave the release before it working
(add first, remove one release later), because both run during a deployment. There is no way down:
a mistake is put right by the next revision.
"""
