"""In place of google.colab.output: a page below a cell that only says where it would be."""

from __future__ import annotations


def serve_kernel_port_as_iframe(
    port: int, path: str = "/", width: str = "100%", height: str = "400"
) -> None:
    print(f"a frame of {width} by {height} px onto port {port}, {path}")
