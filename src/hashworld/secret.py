"""The installation's secret key, made on first start and kept in the data folder."""

import os
import secrets
from pathlib import Path


def read_or_make(path: Path) -> str:
    """The key in `path`; when there is none, a new random one is written there (mode 0600).

    Several processes may start at once on an empty folder: the first to link its file wins and
    the others read that one.
    """
    if not path.exists():
        # Containers that share the folder may have equal process ids.
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(50))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
