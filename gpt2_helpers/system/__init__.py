"""What the operating system and the machine provide: files, locks, devices, progress."""
