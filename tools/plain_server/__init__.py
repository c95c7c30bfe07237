"""Serve on Debian: `git push` to a bare repository runs the Procfile behind HAProxy, without downtime.

A push is built, released and started beside the live release; only then does HAProxy send it requests (a blue-green
deployment, which Heroku calls preboot). Standard library only, and nothing of the app: it deploys every commit of it,
older ones too. docs/plain-server.md says how to set one up.
"""
