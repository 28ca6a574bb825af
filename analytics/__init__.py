"""Numbers derived from the facts of portfolios: runs, results, reports. No imports here."""
