"""The HTTP server: gunicorn's arbiter with graceful signals, and a worker of it with request and response buffering.

`start.py` and `gunicorn.conf.py` put these in; the `flask` command, tests and development do without.
"""
