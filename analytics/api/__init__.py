"""HTTP of the derived numbers. Imports services, selectors and models below; never calculations."""
