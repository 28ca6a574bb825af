"""The commands of `python3 manage.py`."""
