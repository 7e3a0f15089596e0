"""What the report says beside its figures."""

MEANINGS = {
    "hit rate@k": (
        "share of held-out events whose title is among the first k: the article's top-k categorical accuracy"
    ),
    "recall@k, NDCG@k": (
        "means over queries: the share of what was held out that is among the first k; and hits that count "
        "the less the later they stand, as a share of what is possible"
    ),
    "plain, unseen": "all titles are ranked, as in the article; or all but those the user rated in training",
    "popularity, random": "titles (users) by how often they were rated (rated anything); at random",
    "item-kNN": "`implicit`'s cosine neighbours, 200 per title",
    "two-tower": (
        "the article's model, settings and way to ask: at the time of the event, inner products, user "
        "indexes of one row per rating of which the first 500 count"
    ),
    "..., one vector per user": (
        "the same model asked at each user's last training event; cosine within a side: what one would serve"
    ),
    "two-tower tuned": (
        "the best that the search found, asked as in the article; *without time*: the best that never sees the time"
    ),
    "mfrec": (
        "its defaults. They were chosen on validation parts of these two data sets, so they are not untuned here"
    ),
    "mfrec tuned": "the best that its search found",
    "..., at the event's time": (
        "the user's training history folded in anew for each event, so that what lies far from that moment, "
        "on either side, counts less; *from the past alone*: only what is strictly earlier"
    ),
    "..., folding in": (
        "a new user's earlier events are folded in before the next is asked for; nothing is trained again"
    ),
    "mfrec, with titles": "titles without events get a vector from their words (`mfrec.coldstart.content`)",
}

TIME = """On a random split most of a sitting is in the training part, and the time of an event says which sitting:
whoever is told that time, mfrec or the two-tower, knows more than a recommender knows before the sitting. A two-tower
sees it in buckets of equal length (how many was part of its search), mfrec to the second. On the split by time, a
two-tower's clock ends with the training part, and later queries are asked at its end: a bucket of the future has an
embedding that nothing was ever learnt for."""

COSTLY = """The installation is what pip takes for `tensorflow-recommenders`, which requires the `tensorflow` wheel for
CPU and GPU. Two of the article's four indexes hold one row per rating, which is most of its saved model. A two-tower's
training includes tracing its graph in the first epoch."""

CURVES = """Of the two-tower, the better of its two ways to be asked. Where it sees the time that is at the event's
time, which mfrec is not told here: who is better on equal terms stands under *Like against like*."""

STRANGERS = """What a model can say of titles without any rating (a tenth of the titles, held out whole; ranked among
all titles, and among the cold ones alone) and to users without any (in the split by time). Here everybody has the
settings of the random split, whose search saw events of these titles; mfrec also chooses the penalty of its regression,
on titles with events. The embedding of a title or user without events is as it was drawn, close to zero, which leaves
the two-tower the words of a title, and of a user nothing. *folding in* and *without what was touched* are told each
earlier event of a new user, and do not offer it again; this two-tower is not told, so it has to be read apart from
them."""

METHOD = """## How it was measured

* One judge: `benchmarks/judge.py` ranks every title (or user) for every query with `mfrec.evaluate`, from scores or
  vectors alone; ties count by their expectation. mfrec's evaluation README describes the protocols of all four
  directions. TensorFlow Recommenders' own `FactorizedTopK` of each model is kept beside it (`extra.own_hit_rates`),
  and a test holds the two together.
* Items are titles, the same ones for everybody; two ratings of one title by one user count once. The splits are made by
  mfrec and handed over as a file.
* *tuned* was chosen on validation parts of the training data of seed 42: the mean of hit rate@10 and @100 over unseen
  titles. For a two-tower, 14 settings were written down where one would start, and on the random split two more
  drawn, which came behind; each was judged after up to four numbers of epochs and asked in both ways. mfrec's 120
  settings are in turn near its defaults, which were themselves chosen on validation parts of these two data sets, and
  from anywhere; then come 16 ways in which a history fades. The two-tower's search takes far more seconds, mfrec's
  tries more settings. mfrec's trials are means over three such parts, by time each the last fifth of what stands
  before the previous one. The two-tower's are of the first part; the best of them, with and without the time, then go
  through all three. Other seeds use what was found, so their test parts overlap what was searched on, for both sides
  alike.
* A user is asked once, so NDCG and recall are missing for who is asked anew for each event.
* Costs are of whole processes, run in turns; ratios are medians over the repeats of ratios within one repeat. Memory is
  the kernel's high-water mark of the process. Latencies are single queries from id to ids, one after another;
  TensorFlow runs a compiled graph (`tf.function`). mfrec leaves out what is already seen, TensorFlow does not.
  Times of the searches and of accuracy are from a busy machine; only *Training time*, *Costs* and *Latency* are to be
  compared.
* Some trainings of the searches may be older than the rest, since `make bench` resumes: `about` in each file of `raw/`
  says when and of which source it was made.
* Every figure in the tables and the verdict is a line of [summary.jsonl](summary.jsonl), which names its places in
  `raw/`."""

SEARCHES = """## What the searches chose

The value is what was maximised, on validation: the mean of hit rate@10 and @100 over unseen titles. `two-tower` is of
the first validation part alone, everything else a mean over three, so that only *two-tower, finals* is to be held
against *mfrec*; *mfrec-moment* asks at the event's time. *fitting, s* adds up all trainings of the search, on a busy
machine. The columns on the right show what it is worth to correct the in-batch softmax for how often a title is drawn
as a negative (`log_q`). The article does not: popular titles are drawn most, and without the correction a model learns
to avoid them."""
