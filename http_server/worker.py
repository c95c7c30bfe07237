"""gunicorn's threaded worker with request and response buffering, against slow clients (Slowloris).

gthread gives a connection a thread as soon as it is open, so ten slow clients hold ten threads. Here one event loop
reads requests and sends responses; a thread gets only a request that has arrived as a whole, and is free as soon as
it is answered. nginx does the same before a server (proxy_request_buffering, proxy_buffering).
"""

import errno
import selectors
import signal
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.http.errors import NoMoreData
from gunicorn.workers.gthread import ThreadWorker

from http_server.answers import watched
from http_server.connection import Connection, State, WaitingRoom
from http_server.refusals import ClientGone, CutOff, Refused, SpoolFailed
from http_server.request_buffer import BodyLimits, Part
from http_server.server import heed_held_back

# Answered by a thread of its own: when every other one waits for the database, the platform must not restart us.
LIVENESS_PATH = "/healthz"
SWEEP_SECONDS = 0.1
# accept(2): no file descriptor or no memory is left, of this process or of the machine. The connection stays in the
# kernel's queue, so the log says it once in so many seconds and not at each try.
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
COMPLAINT_SECONDS = 10.0
# After SIGTERM we still answer requests on kept-alive connections for this long (RFC 9112, section 9.6).
STOP_SECONDS = 5.0


def heartbeat_folder(memory: str = "/dev/shm") -> str:  # noqa: S108
    """Return where the heartbeat files can be: in memory, since a write each second must not wait for a disk.

    Else in the folder of temporary files. The only way to know is to make a file: the folder may be missing, be a file,
    be read-only, or have no room.

    Raises:
        SystemExit: nowhere.
    """
    for folder in (memory, None):
        try:
            with tempfile.NamedTemporaryFile(dir=folder):
                return folder or tempfile.gettempdir()
        except OSError as error:
            reason = error
    raise SystemExit(f"Error: {memory}, TMPDIR and /tmp take no file ({reason}); mount a tmpfs on one of them.")


class BufferingWorker(ThreadWorker):
    """Read requests and send answers; what handles a request is gunicorn's."""

    @classmethod
    def check_config(cls, cfg: Config, log: Logger) -> None:
        """Refuse settings that would be ignored here. Raises: RuntimeError."""
        if cfg.is_ssl or cfg.proxy_protocol != "off":
            raise RuntimeError("This worker speaks neither TLS nor the PROXY protocol; a router in front of it does.")

    def init_process(self) -> None:
        self.liveness_pool = ThreadPoolExecutor(1)
        self.next_sweep = self.next_accept = self.next_complaint = 0.0
        super().init_process()

    def init_signals(self) -> None:
        """Stop on SIGINT as on SIGTERM, and leave SIGHUP and SIGUSR2 to the arbiter: a group gets each of them."""
        super().init_signals()
        signal.signal(signal.SIGINT, self.handle_exit)
        for number in (signal.SIGHUP, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)
        signal.siginterrupt(signal.SIGINT, False)
        heed_held_back()

    def run(self) -> None:
        app: Any = self.wsgi  # Flask, since gunicorn.conf.py names the factory
        self.body_limits = BodyLimits(app.extensions["body_limit"])
        self.wsgi = watched(app, self.log)
        self.room = WaitingRoom(self.poller)
        # gunicorn's parser asks for some twenty settings a request, each of which is looked up by three methods.
        self.cfg.__dict__.update({name: setting.get() for name, setting in self.cfg.settings.items()})
        queue = self.method_queue
        self.poller.register(queue, selectors.EVENT_READ, queue.run_callbacks)  # type: ignore[arg-type]
        while self.alive and self.is_parent_alive():
            has_room = self.nr_conns < self.worker_connections or bool(self.room)
            self.set_accept_enabled(has_room and time.monotonic() >= self.next_accept)
            self.turn()
        self.stop_accepting()
        self.stop(time.monotonic() + self.cfg.graceful_timeout)

    def turn(self) -> None:
        """Run one round of the event loop. The heartbeat, which is a system call, comes with the sweep."""
        self.wait_for_and_dispatch_events(timeout=SWEEP_SECONDS)
        if time.monotonic() >= self.next_sweep:
            self.next_sweep = time.monotonic() + SWEEP_SECONDS
            self.notify()
            self.end_overdue()

    def stop_accepting(self) -> None:
        """Take the connections that the kernel has accepted for us, then refuse more.

        A socket that stays open until the end would accept connections that nobody answers, and reset them.
        """
        self.set_accept_enabled(False)
        for listener in self.sockets:
            while self.accept(listener):
                pass
            listener.close()

    def stop(self, deadline: float) -> None:
        """Finish what has begun; a connection without a request is closed after STOP_SECONDS."""
        soon = time.monotonic() + STOP_SECONDS
        while self.nr_conns and time.monotonic() < deadline:
            for connection in self.room:
                if connection.state is not State.SENDING and not connection.has_begun:
                    connection.deadline = min(connection.deadline, soon)
            self.turn()
        self.tpool.shutdown(wait=False)
        self.liveness_pool.shutdown(wait=False)
        self.poller.close()
        self.method_queue.close()

    def accept(self, listener: Any) -> bool:  # type: ignore[override]
        """Accept a connection. Return whether one was waiting."""
        try:
            accepted, client = listener.accept()
        except OSError as error:  # none is left, another worker took it, or the client is gone
            if error.errno in EXHAUSTED:
                self.make_room(error)
            return False
        if self.nr_conns >= self.worker_connections:
            self.evict()
        self.nr_conns += 1
        self.wait(Connection(self.cfg, accepted, client, listener.getsockname(), self.body_limits))
        return True

    def make_room(self, error: OSError) -> None:
        """Close another connection, or pause, so that the kernel can give us the one that it could not."""
        now = time.monotonic()
        if now >= self.next_complaint:
            self.next_complaint = now + COMPLAINT_SECONDS
            self.log.error("connections cannot be accepted: %s", error)
        if not self.evict():
            self.next_accept = now + SWEEP_SECONDS

    def evict(self) -> bool:
        """Close the connection that has waited longest, so that a new client is let in. Return whether there is one."""
        longest = self.room.take_longest()
        if longest:
            self.close(longest)
        return longest is not None

    def wait(self, connection: Connection) -> None:
        self.room.add(connection, self.on_ready)

    def on_ready(self, connection: Connection) -> None:
        self.room.remove(connection)
        if connection.state is State.SENDING:
            self.send(connection)
        elif connection.state is State.LINGERING:
            self.wait(connection) if connection.discard() else self.close(connection)
        else:
            self.read(connection, connection.read)

    def close(self, connection: Connection) -> None:
        self.nr_conns -= 1
        self.room.unwatch(connection)
        connection.reset() if connection.is_cut_off else connection.close()

    def linger(self, connection: Connection) -> None:
        try:
            connection.linger()
        except OSError:
            self.close(connection)
        else:
            self.wait(connection)

    def end_overdue(self) -> None:
        for connection in self.room.take_overdue():
            if connection.state is State.HELD:
                self.answer(connection)
            elif connection.answer_timeout():
                self.log.info("request timed out: missing=%s", connection.incoming.missing.name.lower())
                self.linger(connection)
            else:
                self.close(connection)

    def read(self, connection: Connection, take: Callable[[], bool]) -> None:
        """Read what there is of a request by `take`, which returns whether the client may send more."""
        try:
            is_open = take()
        except (OSError, NoMoreData, StopIteration):  # the client is gone
            self.close(connection)
        except Refused as refusal:
            self.log_refusal(refusal)
            connection.answer_refusal(refusal)
            self.linger(connection)
        except Exception as error:  # gunicorn's parser has a class for each fault, and handle_error knows them
            self.handle_error(None, connection.socket, connection.client, error)
            self.linger(connection)
        else:
            if connection.incoming.missing is Part.NOTHING:
                self.submit(connection)
            elif is_open:
                self.wait(connection)
            else:
                self.close(connection)

    def log_refusal(self, refusal: Refused) -> None:
        log = self.log.error if isinstance(refusal, SpoolFailed) else self.log.warning
        log("a request is refused: %d %s %s", refusal.status, type(refusal).__name__, refusal)

    def submit(self, connection: Connection) -> None:
        connection.state = State.WORKING
        pool = self.liveness_pool if connection.incoming.request.path == LIVENESS_PATH else self.tpool
        pool.submit(self.work, connection)

    def work(self, connection: Connection) -> None:
        """Run the application, in a thread, and hand the connection back to the event loop."""
        connection.is_kept_alive = False
        try:
            connection.is_kept_alive = self.respond(connection) and not connection.incoming.is_cut
        finally:
            self.method_queue.defer(self.finish, connection)

    def respond(self, connection: Connection) -> bool:
        """Return whether the connection may be used again."""
        request = connection.incoming.request
        try:
            return self.handle_request(request, connection)  # type: ignore[arg-type]  # it reads three attributes
        except ClientGone:
            pass
        except (CutOff, StopIteration):
            connection.is_cut_off = True
        except Exception as error:
            self.handle_error(request, connection.sock, connection.client, error)  # type: ignore[arg-type]
        return False

    def finish(self, connection: Connection) -> None:
        if connection.is_cut_off:
            self.close(connection)
        elif connection.sock.is_held:
            connection.hold()
            self.wait(connection)
        else:
            self.answer(connection)

    def answer(self, connection: Connection) -> None:
        connection.begin_sending()
        self.send(connection)

    def send(self, connection: Connection) -> None:
        try:
            is_sent = connection.sock.flush()
        except ClientGone:
            self.close(connection)
            return
        except SpoolFailed as error:
            self.log.error("the answer is cut off: %s", error)
            connection.is_cut_off = True
            self.close(connection)
            return
        if not is_sent:
            connection.extend_sending()
            self.wait(connection)
        elif connection.is_kept_alive:
            self.read(connection, lambda: connection.await_request(self.cfg.keepalive))
        else:
            self.linger(connection)
