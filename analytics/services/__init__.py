"""Runs: accepted, waited for, canceled. Above `tasks`, below the API."""
