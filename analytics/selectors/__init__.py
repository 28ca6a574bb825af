"""Reading of runs, results and reports, always for a client."""
