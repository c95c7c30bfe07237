"""gunicorn's arbiter, the process that starts the workers: it and they stop on SIGINT as they do on SIGTERM.

By itself gunicorn takes SIGINT for a quick stop, which cuts requests off: a POST in flight is answered 500. But Ctrl-C
sends it, to all processes at once, and so do platforms (Fly.io's default). SIGQUIT still stops at once.
"""

import signal
from argparse import ArgumentParser, Namespace
from types import FrameType

from gunicorn.app.wsgiapp import WSGIApplication
from gunicorn.arbiter import Arbiter

HELD_BACK = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class GracefulArbiter(Arbiter):
    def signal(self, sig: int, frame: FrameType | None) -> None:
        """Queue a signal. A second SIGINT while stopping changes nothing either, since wrappers send it twice."""
        super().signal(signal.SIGTERM if sig == signal.SIGINT else sig, frame)

    def spawn_worker(self) -> int:
        """Fork. Signals wait until the worker has installed its handlers; with ours it would queue and forget them."""
        signal.pthread_sigmask(signal.SIG_BLOCK, HELD_BACK)
        try:
            return super().spawn_worker()
        finally:
            heed_held_back()


def heed_held_back() -> None:
    """Let in the signals that came since the fork. The worker calls it, too."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_BACK)


class Server(WSGIApplication):
    """Run as the command `gunicorn` does, with our arbiter. gunicorn.conf.py names the application."""

    def init(self, parser: ArgumentParser, opts: Namespace, args: list[str]) -> None:
        """Take no application from the command line, whose first word here is gunicorn."""
        super().init(parser, opts, [])

    def run(self) -> None:
        if self.cfg.print_config or self.cfg.check_config:
            super().run()  # prints, and exits
        GracefulArbiter(self).run()
