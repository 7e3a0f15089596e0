"""How good the model is: ``python -m benchmarks.accuracy.run NAME [options]``; without a name, the list of names."""

from benchmarks.tools import choose

MEASUREMENTS = {
    "directions": "hit rates of the defaults in each direction, against every baseline",
    "defaults": "the defaults on ten tables that nothing was chosen on, against a search and the best baseline",
    "tomorrow": "what recency is worth when tomorrow is predicted from yesterday",
    "likeness": 'how much "similar" means similar, for several maps of the same-side vectors',
    "cold": "what cold start from attributes is worth, over several seeds",
    "search_budget": "how soon a search is done, and what its best is worth on a test part",
    "diversity": "what diversity costs in NDCG, and what it gives: likeness within lists, and coverage",
    "lookalikes": "how many of an item's users look-alikes find, from half of them, against simpler ways",
    "published": "mfrec on the published split of a paper",
    "demo": "what `mfrec demo` prints, put into the README",
}

if __name__ == "__main__":
    choose("accuracy", MEASUREMENTS)
