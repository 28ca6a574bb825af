"""The leased jobs of the facts: files on their way in."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from portfolios.jobs import JobKind
from portfolios.models import Import
from portfolios.services.imports import import_perform, import_tell


def give_up_imports(import_ids: Sequence[uuid.UUID]) -> None:
    """Say on imports that broke every worker that they failed."""
    imports = Import.objects.filter(pk__in=import_ids)
    imports.update(status=Import.Status.FAILED, rows_in=0, rows_accepted=0, rows_rejected=0)
    for imported in imports.defer("content").order_by("client", "pk"):
        import_tell(imported)


IMPORT = JobKind(Import, import_perform, quarantined=give_up_imports)
