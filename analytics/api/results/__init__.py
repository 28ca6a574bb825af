"""What results look like: a shape per analysis and part, for the schema and for nobody else.

Results are served as the text that the worker stored, so nothing is converted here. A test holds
every stored result against these shapes and refuses members that they do not name.
"""
