"""A fetched body handed out as a file that no browser will run."""

from django.http import HttpResponse

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}


def attachment(body: bytes, filename: str) -> HttpResponse:
    """`body` under a name of ours: neither its type nor its name is taken from the outside."""
    response = HttpResponse(body, content_type="application/octet-stream", headers=HEADERS)
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response
