"""The one-command start: the environment, PostgreSQL, Valkey and the processes of the service.

`bootstrap` runs before anything is installed and imports the standard library only.
"""
