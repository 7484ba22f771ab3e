"""What is compared, a file each: `prepare(work, folder, told)` loads it and returns one run."""
