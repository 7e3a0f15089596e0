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
        from mfrec.service.settings import KEY, Limits, Settings, check_key
    except ImportError as error:
        raise click.ClickException(f"serving needs {error.name}: pip install 'mfrec[serve]'") from None
    api_key = os.environ.get(KEY) or None if api_key_file is None else _read_key(api_key_file)
    if api_key is not None:
        check_key(api_key, f"the API key in {api_key_file or KEY}")
    settings = Settings(
        path,
        Limits(k=options["max_k"]),
        api_key,
        options["cors_origin"],
        timeout=options["timeout"],
        poll=options["poll"],
        json_log=options["json_log"],
    )
    address = Address(host, port, workers)
    shown = f"[{host}]" if ":" in host else host

    def announce(port: int) -> None:
        base = f"http://{shown}:{port}"
        click.echo(f"mfrec serve {path}: explorer at {base}/, API at {base}/docs", err=True)
        if api_key is None and host not in _LOOPBACK:
            click.echo(f"anybody who reaches this address can query it: set {KEY}, or put a proxy in front", err=True)

    run(settings, address, announce)


def _read_key(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(f"the API key file {path} cannot be read: {error}") from None
