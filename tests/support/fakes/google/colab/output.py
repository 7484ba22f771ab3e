"""Fake google.colab.output: prints the port that would be shown below the cell."""

from __future__ import annotations


def serve_kernel_port_as_iframe(
    port: int, path: str = "/", width: str = "100%", height: str = "400"
) -> None:
    print(f"a frame of {width} by {height} px onto port {port}, {path}")
