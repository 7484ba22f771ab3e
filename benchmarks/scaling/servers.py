"""Throughput of two server processes behind nginx, compared with one.

    cd benchmarks && python -m scaling.servers          # two minutes; needs nginx and taskset

Each server has one worker process with one thread, on a core of its own. nginx and the clients run
on the same cores. The rounds alternate, since the speed of a machine varies.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

from load import Measurement, measure_round, speedups, table

CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    log_format upstream "$upstream_addr $status $request";
    access_log {folder}/access.log upstream;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream servers {{
        least_conn;
        {servers}
        keepalive 64;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://servers;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_next_upstream error timeout http_429 http_503 non_idempotent;
        }}
    }}
}}
"""


@contextmanager
def nginx(addresses: Sequence[str], folder: Path) -> Iterator[str]:
    """Run nginx in front of servers; yields its address.

    Each request goes to the server with the fewest ones, and to the other one if its queue is full.

    Args:
        addresses: Addresses of the servers, such as "http://127.0.0.1:8080/".
        folder: An empty folder for its configuration and its access.log.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    servers = " ".join(f"server {urlsplit(address).netloc};" for address in addresses)
    path = folder / "nginx.conf"
    path.write_text(CONFIGURATION.format(folder=folder, servers=servers, port=port))
    with subprocess.Popen(["nginx", "-p", str(folder), "-c", str(path)]) as process:
        try:
            while not _accepts(port):
                if process.poll() is not None:
                    raise SystemExit(f"nginx exited with code {process.returncode}")
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()


def _accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@contextmanager
def server(core: int, *options: str) -> Iterator[str]:
    """Run `gpt2-helpers serve` with one worker process on one core; yields its address."""
    command = ["taskset", "--cpu-list", str(core), sys.executable, "-m", "gpt2_helpers", "serve"]
    command += ["--port", "0", "--workers", "1", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="per round and setting")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=8, help="for each server")
    options = parser.parse_args()
    for program in ("nginx", "taskset"):
        if shutil.which(program) is None:
            raise SystemExit(f"{program} is not installed")
    one, front = Measurement(options.clients), Measurement(2 * options.clients)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        addresses = [stack.enter_context(server(core)) for core in (0, 1)]
        both = stack.enter_context(nginx(addresses, folder))
        for _ in range(options.rounds):
            asyncio.run(measure_round(addresses[0], one, options.seconds))
            asyncio.run(measure_round(both, front, options.seconds))
    print(f"one server:\n\n{table([one])}\n\ntwo servers behind nginx:\n\n{table([front])}\n")
    ratios = speedups(front, one)
    print(f"{statistics.median(ratios):.2f} times the throughput ({min(ratios)} to {max(ratios)})")


if __name__ == "__main__":
    main()
