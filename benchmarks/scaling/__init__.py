"""How speed, time and memory grow, each curve beside a limit measured in the same run."""
