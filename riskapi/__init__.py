"""Composition root: settings, URLs, Celery, the HTTP edge and the embedded servers. Nobody imports it."""
