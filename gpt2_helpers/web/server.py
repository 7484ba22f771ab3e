"""The server: uvicorn around the app, in a process of its own or beside a notebook."""

from __future__ import annotations

import errno
import signal
import socket
import threading
import time
from types import FrameType
from typing import TYPE_CHECKING

from gpt2_helpers.errors import Gpt2Error, OptionError, import_optional
from gpt2_helpers.session import Session
from gpt2_helpers.web.config import ServeConfig

if TYPE_CHECKING:
    import uvicorn

    from gpt2_helpers.web.engine import Writer

LONGER = 2.0  # seconds beyond those for texts, in which refusals reach their readers
WAITING = 128  # connections that the system takes before they are looked at
MOST_CONNECTIONS = 1000
IDLE = 75  # seconds that a connection may stay without another request


class Server:
    """A model behind an address: `run` serves until the process is told to end, `start` beside
    what else it does, until `stop`."""

    def __init__(
        self,
        session: Session,
        config: ServeConfig,
        key: str | None = None,
        frames: str = "'self'",
    ) -> None:
        key = None if key is None else _checked_key(key)
        for module in ("starlette", "uvicorn", "prometheus_client"):
            import_optional(module, "serving a model", module.replace("_", "-"))

        from gpt2_helpers.web.app import build

        self._socket = _listening(config)
        self.port: int = self._socket.getsockname()[1]
        host = "127.0.0.1" if config.host in ("0.0.0.0", "") else config.host
        host = "[::1]" if host == "::" else f"[{host}]" if ":" in host else host
        self.url = f"http://{host}:{self.port}/"
        try:
            app, self.writer = build(session, config, key, frames)
        except BaseException:
            self._socket.close()
            raise
        self._server = _draining(app, self.writer, config)
        self._thread: threading.Thread | None = None

    def run(self) -> None:
        """Serve until SIGTERM or Ctrl-C, then let texts come to their end."""
        # uvicorn sends itself the signal again when all is done, and the process is to end well.
        before = signal.signal(signal.SIGTERM, lambda *_: None)
        try:
            self._server.run(sockets=[self._socket])
        finally:
            signal.signal(signal.SIGTERM, before)

    def start(self) -> None:
        """Serve from a thread; returns once requests are taken."""
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="gpt2-server", daemon=True
        )
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                self.writer.stop()
                raise Gpt2Error(f"the server at {self.url} did not start")
            time.sleep(0.01)

    def stop(self) -> None:
        """Take no more requests, let texts come to their end, and end the thread."""
        self._server.handle_exit(signal.SIGTERM, None)
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._socket.close()


def _checked_key(key: str) -> str:
    """A key as it can stand in a header; OptionError for any other."""
    key = key.strip()  # a file's last newline is no part of it
    if not key or not key.isascii() or not key.isprintable():
        raise OptionError("the key must be letters, digits and signs of ASCII, and not empty")
    return key


def _draining(app: object, writer: Writer, config: ServeConfig) -> uvicorn.Server:
    import uvicorn

    from gpt2_helpers.web.timeouts import Connection

    class Draining(uvicorn.Server):
        """Told to end, it takes no more texts at once, and refuses in time what is not done."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if not self.should_exit:
                ending = threading.Thread(
                    target=writer.stop, args=(config.shutdown_timeout,), daemon=True
                )
                ending.start()
            super().handle_exit(sig, frame)

    return Draining(
        uvicorn.Config(
            app,  # type: ignore[arg-type]
            http=Connection,  # with h11, which unlike httptools bounds what comes before a body
            limit_concurrency=MOST_CONNECTIONS,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=IDLE,
            timeout_graceful_shutdown=round(config.shutdown_timeout + LONGER),
        )
    )


def _listening(config: ServeConfig) -> socket.socket:
    """The address, taken; OptionError where it is not to be had."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    # Named TCP, connections send at once: asyncio asks by that, and else each answer waits 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((config.host, config.port))
        listening.listen(WAITING)  # who connects from now on is answered, if a little later
    except (OSError, UnicodeError) as error:
        listening.close()
        what = f"cannot listen on {config.host}, port {config.port} ({error})"
        if isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise OptionError(f"{what}: give another port, or 0 for one that is free") from None
        raise OptionError(
            f"{what}: host must be an address of this machine, such as 127.0.0.1, or 0.0.0.0 for "
            "all of them"
        ) from None
    return listening
