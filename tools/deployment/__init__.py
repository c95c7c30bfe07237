"""Deliver continuously from a developer's machine: `bin/deploy` and `bin/rollback`, which docs/deploying.md
describes.

Standard library only, so that a checkout can deploy before anything is installed. Every step prints the plain command
that it runs, so each can be run by hand.
"""
