"""The HTTP server: gunicorn's arbiter with graceful signals, a worker of it with request and response buffering, and a
client-side timeout of the database.

`start.py` and `gunicorn.conf.py` put these in; the `flask` command, tests and development do without.
"""
