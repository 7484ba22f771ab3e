"""The parts that the forms are made of."""
