"""Composition root: settings, URLs, Celery, the HTTP edge and the embedded servers.

Nobody imports it; settings and commands name it by dotted path.
"""
