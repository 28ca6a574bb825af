"""The nightly report: due dates, the record, its page, its charts, HTML, PDF and CSV.

Beside `calculations` and above `selectors`; what computes the figures is handed in by the caller.
"""
