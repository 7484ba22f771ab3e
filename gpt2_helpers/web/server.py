"""The server: uvicorn around the app, in the main thread or in a background thread."""

from __future__ import annotations

import errno
import signal
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

from gpt2_helpers.errors import Gpt2Error, OptionError, import_optional
from gpt2_helpers.session import Session
from gpt2_helpers.web.config import ServeConfig

if TYPE_CHECKING:
    import uvicorn

    from gpt2_helpers.web.engine import Engine
    from gpt2_helpers.web.models import ServedModels

SHUTDOWN_MARGIN = 2.0  # seconds after shutdown_timeout to deliver the last errors
BACKLOG = 128  # connections that the operating system queues
MAX_HEADER_BYTES = 65_536
KEEPALIVE_TIMEOUT = 75  # seconds that an idle connection stays open


class Server:
    """One or several models behind an HTTP address.

    `run` serves until the process is interrupted; `start` serves from a thread until `stop`.

    Args:
        session: The session whose model is served. Nothing else may use it while the server runs.
        config: The options.
        key: The API key that requests must send. Defaults to none.
        frame_ancestors: The sites that may embed the page, in the syntax of a content security
            policy.
        others: Sessions with more models, which requests choose by name.

    Raises:
        OptionError: If the key is invalid or the address cannot be bound.
        MissingPackageError: If the packages of the web app are not installed.
    """

    def __init__(
        self,
        session: Session,
        config: ServeConfig,
        key: str | None = None,
        frame_ancestors: str = "'self'",
        others: Sequence[Session] = (),
    ) -> None:
        key = None if key is None else _validate_key(key)
        for module in ("starlette", "uvicorn", "prometheus_client"):
            import_optional(module, "serving a model", "web")

        from gpt2_helpers.web.app import create_app

        self._socket = _bind(config)
        self.port: int = self._socket.getsockname()[1]
        host = "127.0.0.1" if config.host in ("0.0.0.0", "") else config.host
        host = "[::1]" if host == "::" else f"[{host}]" if ":" in host else host
        self.url = f"http://{host}:{self.port}/"
        try:
            app, self.models = create_app(session, config, key, frame_ancestors, others)
        except BaseException:
            self._socket.close()
            raise
        self._server = _uvicorn_server(app, self.models, config)
        self._thread: threading.Thread | None = None

    @property
    def engine(self) -> Engine:
        """The engine of the first model."""
        return self.models.default.engine

    def run(self) -> None:
        """Serve until SIGTERM or Ctrl-C, then let running requests finish."""
        # uvicorn raises the signal again after its shutdown: ignored, for exit code 0.
        previous = signal.signal(signal.SIGTERM, lambda *_: None)
        try:
            self._server.run(sockets=[self._socket])
        finally:
            signal.signal(signal.SIGTERM, previous)

    def start(self) -> None:
        """Serve from a thread; returns when requests are accepted.

        Raises:
            Gpt2Error: If the server does not start.
        """
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="gpt2-server", daemon=True
        )
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                self.models.stop()
                raise Gpt2Error(f"the server at {self.url} did not start")
            time.sleep(0.01)

    def stop(self) -> None:
        """Reject new requests, let running ones finish, and end the thread."""
        self._server.handle_exit(signal.SIGTERM, None)
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._socket.close()


def _validate_key(key: str) -> str:
    """Return a key that fits into a header; OptionError for any other."""
    key = key.strip()  # a key from a file may end with a newline
    if not key or not key.isascii() or not key.isprintable():
        raise OptionError("the API key must be non-empty printable ASCII")
    return key


def _uvicorn_server(app: object, models: ServedModels, config: ServeConfig) -> uvicorn.Server:
    import uvicorn

    from gpt2_helpers.web.connections import ConnectionProtocol

    class GracefulServer(uvicorn.Server):
        """Stops the engines on shutdown, within `shutdown_timeout`."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if not self.should_exit:
                timeout = (config.shutdown_timeout,)
                threading.Thread(target=models.stop, args=timeout, daemon=True).start()
            super().handle_exit(sig, frame)

    http: Any = partial(ConnectionProtocol, OrderedDict())
    return GracefulServer(
        uvicorn.Config(
            app,  # type: ignore[arg-type]
            http=http,  # on h11, which limits the size of headers; httptools does not
            h11_max_incomplete_event_size=config.max_query_bytes + MAX_HEADER_BYTES,
            # Configuring logging would close the stream of absl's handler, if TensorFlow is loaded
            # and stderr has been redirected since, as in a notebook or in pytest.
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEPALIVE_TIMEOUT,
            timeout_graceful_shutdown=round(config.shutdown_timeout + SHUTDOWN_MARGIN),
        )
    )


def _bind(config: ServeConfig) -> socket.socket:
    """Return a listening socket; OptionError if the address is not available."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    # asyncio sets TCP_NODELAY only if the protocol is given; without it responses wait 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.host, config.port))
        listener.listen(BACKLOG)  # connections wait from now on instead of being refused
    except (OSError, UnicodeError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else None
        message = f"cannot listen on {config.host}, port {config.port} ({reason or error})"
        if isinstance(error, OSError) and error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise OptionError(f"{message}: choose another port, or 0 for a free one") from None
        raise OptionError(
            f"{message}: host must be an address of this machine, such as 127.0.0.1, or 0.0.0.0 "
            "for all of them"
        ) from None
    return listener
