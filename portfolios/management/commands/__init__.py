"""Management commands of the facts."""
