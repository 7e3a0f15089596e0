"""Thousands of requests made up from the OpenAPI document: no server error, nothing undocumented.

Needs ``schemathesis`` (pip install schemathesis, in an environment of its own; ``--command`` names it). ``--examples``
are cases per operation and phase.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.service.harness import sample_models, serving
from benchmarks.tools import command as with_options

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@with_options
def main(examples: int = 600, command: str = "schemathesis", seed: int = 1) -> None:
    """Run schemathesis against a service of our own."""
    with tempfile.TemporaryDirectory() as scratch, serving(sample_models(Path(scratch), 1)[0]) as service:
        address = f"http://127.0.0.1:{service.port}/openapi.json"
        options = ["--checks", CHECKS, "--max-examples", str(examples), "--seed", str(seed), "--continue-on-failure"]
        done = subprocess.run([command, "run", address, *options], cwd=scratch, check=False)
        print(f"tracebacks logged: {service.traces}; still answers: {service.ready}")
        sys.exit(done.returncode or bool(service.traces))
