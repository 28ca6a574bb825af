"""Entry points for operators; thin, no logic of their own."""
