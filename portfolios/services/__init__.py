"""What changes the facts: one function per change. Imports selectors, feeds and models."""
