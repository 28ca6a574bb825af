"""The sandbox of an institution: a client of its own that its test keys open, and nothing else."""

from __future__ import annotations

from django.conf import settings
from django.utils.module_loading import import_string

from portfolios.errors import Conflict
from portfolios.identifiers import sandbox_id
from portfolios.models import Client
from portfolios.services.audit import audit_record

_SUFFIX = "-sandbox"


def sandbox_of(institution: Client, *, actor: str = "service") -> Client:
    """The institution's sandbox, made and seeded where there is none. Needs an operator's scope."""
    Client.objects.select_for_update().get(pk=institution.pk)
    found = Client.objects.filter(sandbox_of=institution).first()
    if found is not None:
        return found
    length = Client._meta.get_field("slug").max_length or 0
    slug = institution.slug[: length - len(_SUFFIX)] + _SUFFIX
    if Client.objects.filter(slug=slug).exists():
        raise Conflict(
            f"The sandbox of {institution} would be called {slug!r}, as another client is: rename"
            " that one.",
            code="conflict",
        )
    sandbox = Client.objects.create(
        id=sandbox_id(),
        name=f"{institution.name[:180]} (sandbox)",
        slug=slug,
        base_currency=institution.base_currency,
        is_synthetic=True,
        is_active=institution.is_active,
        sandbox_of=institution,
    )
    import_string(settings.SANDBOX_SEED)(sandbox)
    audit_record(
        client=sandbox,
        actor=actor,
        action="sandbox.create",
        object_id=sandbox.public_id,
        detail={"institution": institution.public_id},
    )
    return sandbox
