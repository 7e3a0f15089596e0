"""Thousands of requests made up from the OpenAPI document: no server error, nothing undocumented.

Usage: python -m benchmarks.service_schemathesis [--examples 600] [--schemathesis PATH]

Needs ``schemathesis`` (pip install schemathesis, in an environment of its own).
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

from benchmarks.service_harness import sample_models, serving

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def main() -> None:
    """Run schemathesis against a service of our own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=600, help="cases per operation and phase")
    parser.add_argument("--schemathesis", default="schemathesis", help="its command")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        store = sample_models(Path(scratch), 1)[0]
        with serving(store) as service:
            command = [options.schemathesis, "run", f"http://127.0.0.1:{service.port}/openapi.json"]
            arguments = ["--checks", CHECKS, "--max-examples", str(options.examples), "--seed", str(options.seed)]
            done = subprocess.run([*command, *arguments, "--continue-on-failure"], cwd=scratch, check=False)
            print(f"tracebacks logged: {service.traces()}; still answers: {service.ask('/v1/user2item/1')[0] == 200}")
            raise SystemExit(done.returncode or bool(service.traces()))


if __name__ == "__main__":
    main()
