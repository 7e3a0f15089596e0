"""How the service does: ``python -m benchmarks.service.run NAME [options]``; without a name, the list of names."""

from benchmarks.tools import choose

MEASUREMENTS = {
    "load": "requests per second, p50 and p99 at rising concurrency, start-up time, memory",
    "search": "titles found among 200,000: milliseconds per kind of query",
    "env": "how large the serving environment is, and whether it answers",
    "swap": "models swapped under load: does a request fail, or an answer mix versions?",
    "faults": "killed publishers and services, a full disk, junk on the wire, slow clients",
    "schemathesis": "thousands of requests made up from the OpenAPI document",
}

if __name__ == "__main__":
    choose("service", MEASUREMENTS)
