"""Between the tables and the engine: what a measure needs, its computation, and its stored result.

May import `analytics.selectors`, `analytics.models`, `analytics.engine` and `portfolios`.
"""
