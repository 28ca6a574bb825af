"""What reads the facts: functions that take the client. Imports models and below."""
