"""Webhooks without a database: what is told, to which addresses, how it is signed and sent.

Imports Django's settings, `portfolios.errors` and nothing above.
"""
