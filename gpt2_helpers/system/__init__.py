"""Operating system and hardware: files, locks, devices, threads, downloads, progress bars."""
