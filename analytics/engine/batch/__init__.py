"""The full set of measures for many portfolios at once, in compiled kernels.

`full_set` is the way in. Importing this package imports nothing; its modules import numba, so only
workers import them, and call `warm_up` when they start. A kernel calls helpers of its own file
only, because numba's cache on disk watches one file per kernel.
"""
