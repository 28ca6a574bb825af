"""Pure numbers: numpy, scipy and the standard library; no Django, no clock, no input or output.

Every function takes arrays and returns frozen dataclasses. A portfolio is a batch of one, so hot
functions take rows of portfolios and answer for each, with a `Failure` in place of a number where
the data cannot answer. Nothing served from here is NaN or infinite.
"""
