"""``mfrec serve``: the HTTP service and the explorer."""

import os
from pathlib import Path
from typing import Any

import click

from mfrec.errors import ParameterError

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--port", default=8000, show_default=True, help="Port to listen on.")
@click.option("--workers", default=1, show_default=True, help="Processes; they share the model's pages.")
@click.option(
    "--api-key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with the API key; otherwise MFREC_API_KEY, otherwise none is asked for.",
)
@click.option("--cors-origin", multiple=True, help="Origin of a web page that may read answers; repeatable.")
@click.option("--json-log", is_flag=True, help="Log one JSON line per request on stdout.")
@click.option("--poll", default=1.0, show_default=True, help="Seconds between two looks for a new version.")
@click.option("--timeout", default=30.0, show_default=True, help="Seconds that a request may take.")
@click.option("--max-k", default=1000, show_default=True, help="Most results that one ranking may have.")
def serve(path: Path, host: str, port: int, workers: int, api_key_file: Path | None, **options: Any) -> None:
    """Serve a model folder or a store over HTTP, with the explorer at /.

    A new version in the store, or a new model in the folder, is swapped to without a restart.
    """
    try:
        from mfrec.service.server import Address, run
        from mfrec.service.settings import Limits, Settings
    except ImportError as error:
        raise click.ClickException(f"serving needs {error.name}: pip install 'mfrec[serve]'") from None
    settings = Settings(
        path,
        Limits(k=options["max_k"]),
        _key(api_key_file),
        options["cors_origin"],
        timeout=options["timeout"],
        poll=options["poll"],
        json_log=options["json_log"],
    )
    address = Address(host, port, workers)
    shown = f"[{host}]" if ":" in host else host
    click.echo(f"mfrec serve {path}: explorer at http://{shown}:{port}/, API at http://{shown}:{port}/docs", err=True)
    if settings.api_key is None and host not in _LOOPBACK:
        click.echo(
            "anybody who reaches this address can query it: set MFREC_API_KEY, or put a proxy in front", err=True
        )
    run(settings, address)


def _key(path: Path | None) -> str | None:
    if path is None:
        return os.environ.get("MFREC_API_KEY") or None
    try:
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"the API key file {path} cannot be read: {error}") from None
