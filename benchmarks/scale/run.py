"""What large tables cost: ``python -m benchmarks.scale.run NAME [options]``; without a name, the list of names."""

from benchmarks.tools import choose

MEASUREMENTS = {
    "read": "rows per second and memory of reading 20 million rows, from CSV and Parquet",
    "batch": "`recommend_all` for a whole catalogue, beside the bare matrix product",
    "allocation": "seconds, memory, total and gap of an allocation, beside greedy, to 200,000 users x 1,000 items",
}

if __name__ == "__main__":
    choose("scale", MEASUREMENTS)
