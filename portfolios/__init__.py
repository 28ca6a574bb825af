"""Facts: clients, portfolios, positions, instruments, prices.

Imports nothing of analytics or riskapi.
"""
