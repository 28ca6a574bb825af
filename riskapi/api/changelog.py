"""What changed from release to release: the project's CHANGELOG.md as data."""

from __future__ import annotations

import functools
import re
from pathlib import Path

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portfolios.api.listing import refuse_unknown
from portfolios.api.pages import OpenView, page_response, wants_page
from riskapi.api.middleware import API_RELEASE

_LINE = re.compile(r"## (?P<release>.+)|### (?P<section>.+)|- (?P<text>.+)|  (?P<more>\S.*)")


class ChangeSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    release = serializers.CharField(help_text="`Unreleased`, or a version.")
    section = serializers.CharField(help_text="`Number changes`: a published figure moved.")
    text = serializers.CharField(help_text="Markdown.")


class ChangelogSerializer(serializers.Serializer):  # type: ignore[type-arg]  # describes an answer
    api_release = serializers.CharField(help_text="As in the header `Api-Release`.")
    data = ChangeSerializer(many=True)  # type: ignore[assignment]  # taken by the metaclass


class ChangelogView(OpenView):
    """The changes of every release."""

    @extend_schema(operation_id="changelog_list", responses=ChangelogSerializer, auth=[])
    def get(self, request: Request) -> Response:
        """Every change, the latest release first."""
        refuse_unknown(request, ())
        if wants_page(request):
            return page_response("Changes", _text())
        return Response({"api_release": API_RELEASE, "data": list(changes())})


@functools.cache
def changes() -> tuple[dict[str, str], ...]:
    return changes_in(_text())


def _text() -> str:
    return (Path(settings.BASE_DIR) / "CHANGELOG.md").read_text(encoding="utf-8")


def changes_in(text: str) -> tuple[dict[str, str], ...]:
    """The entries of a changelog, each with the headings above it."""
    found: list[dict[str, str]] = []
    release = section = ""
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        if match["release"]:
            release, section = match["release"], ""
        elif match["section"]:
            section = match["section"]
        elif match["text"] and release:
            found.append({"release": release, "section": section, "text": match["text"]})
        elif match["more"] and found:
            found[-1]["text"] += " " + match["more"]
    return tuple(found)
