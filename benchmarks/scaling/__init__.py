"""How speed, time and memory grow, each curve with a limit measured in the same run."""
