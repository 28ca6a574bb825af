"""HTTP of the facts: serializers and views. Imports services, selectors and models below."""
