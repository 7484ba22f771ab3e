"""Sizes in bytes as text. Small ones are never shown as 0.0 of a larger unit."""

from __future__ import annotations


def memory_size(count: int) -> str:
    """Memory in GB or MB, which are 2**30 and 2**20 bytes.

    >>> memory_size(12 << 30), memory_size(300 << 20), memory_size(50 << 20), memory_size(900)
    ('12.0 GB', '0.3 GB', '50 MB', '1 MB')
    """
    if count >= 0.1 * 2**30:
        return f"{count / 2**30:,.1f} GB"
    return f"{max(int(count > 0), round(count / 2**20))} MB"


def file_size(count: int) -> str:
    """The size of files in GB, MB or KB, which are powers of 1,000 bytes.

    >>> file_size(42), file_size(63_000), file_size(1_250_000_000), file_size(15_700_000_000)
    ('1 KB', '63 KB', '1.25 GB', '15.7 GB')
    """
    # The limits are the sizes that are rounded up to 10 GB, 1 GB and 1 MB.
    if count >= 9.995e9:
        return f"{count / 1e9:,.1f} GB"
    if count >= 999.95e6:
        return f"{count / 1e9:.2f} GB"
    if count >= 999.5e3:
        return f"{count / 1e6:.1f} MB"
    return f"{max(int(count > 0), round(count / 1e3))} KB"
