"""The sample client of the one-command start: a synthetic market, its books, or a folder's own."""
