"""The HTTP server: a gunicorn worker with request and response buffering, and a client-side timeout of the database.

`gunicorn.conf.py` puts these in; the `flask` command, tests and development do without.
"""
