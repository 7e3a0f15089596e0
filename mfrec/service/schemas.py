"""Bodies of requests and answers, for validation and for the OpenAPI document."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, create_model, model_validator

from mfrec.service.settings import Limits

# an id travels as the model has it: "42" and 42 are different ids
AnyId = StrictInt | StrictStr
M = TypeVar("M", bound=BaseModel)
Weight = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]


class Ask(BaseModel):
    """What every request with a body may say; `ask_model` adds the bounds of a deployment."""

    model_config = ConfigDict(extra="forbid")

    ids: list[AnyId] | None = Field(default=None, min_length=1, description="Known ids of the query's side")
    history: list[AnyId] | None = Field(
        default=None,
        min_length=1,
        description="History of somebody the model has never seen: ids of the other side",
    )
    weights: list[Weight] | None = Field(default=None, description="One per id of the history, as in the fit")
    k: int = Field(default=10, ge=1, strict=True, description="How many results")
    exclude_seen: bool = Field(
        default=True, strict=True, description="Exclude seen ones: what the query has interacted with"
    )
    allow: list[AnyId] | None = None
    deny: list[AnyId] | None = None
    min_score: float | None = Field(
        default=None, strict=True, allow_inf_nan=False, description="Only what scores at least this"
    )
    diversity: float = Field(
        default=0.0, ge=0, le=1, strict=True, allow_inf_nan=False, description="Avoid results that are like each other"
    )
    fallback: Literal["popular"] | None = Field(
        default=None, description="What to answer for ids that the model does not know, instead of an error"
    )

    @model_validator(mode="after")
    def check_together(self) -> "Ask":
        """See that exactly one kind of query is given, and weights only for a history of that length."""
        if (self.ids is None) == (self.history is None):
            raise ValueError("give either ids or a history")
        if self.weights is not None and (self.history is None or len(self.weights) != len(self.history)):
            raise ValueError("weights go with a history, one for each of its ids")
        if self.fallback is not None and self.history is not None:
            raise ValueError("a fallback goes with ids: a history is an answer of its own")
        return self


def ask_model(limits: Limits) -> type[Ask]:
    """Return the body's model with the bounds of a deployment."""
    bounds = {name: Field(max_length=limits.listed) for name in ("history", "weights", "allow", "deny")}
    bounds |= {"ids": Field(max_length=limits.ids), "k": Field(le=limits.k)}
    return _bounded(Ask, bounds)


class AskLookalikes(BaseModel):
    """What a request for look-alikes may say; `lookalikes_model` adds the bounds of a deployment."""

    model_config = ConfigDict(extra="forbid")

    side: Literal["user", "item"] = Field(description="What the seeds are, and what to return")
    seeds: list[AnyId] = Field(min_length=1, description="Ids; those that are unknown are left out and listed")
    k: int = Field(default=10, ge=1, strict=True, description="How many results")
    allow: list[AnyId] | None = None
    deny: list[AnyId] | None = None


def lookalikes_model(limits: Limits) -> type[AskLookalikes]:
    """Return the body's model with the bounds of a deployment."""
    bounds = {name: Field(max_length=limits.listed) for name in ("allow", "deny")}
    return _bounded(AskLookalikes, bounds | {"seeds": Field(max_length=limits.seeds), "k": Field(le=limits.lookalikes)})


class Units(BaseModel):
    """An item of a stock."""

    model_config = ConfigDict(extra="forbid")

    id: AnyId
    units: int = Field(ge=0, lt=2**31, strict=True)


class AskAllocation(BaseModel):
    """A stock, and who may be offered it; `allocation_model` adds the bounds of a deployment."""

    model_config = ConfigDict(extra="forbid")

    stock: list[Units] = Field(min_length=1, description="Items and their units")
    users: list[AnyId] | None = Field(default=None, min_length=1, description="Known users; all where not given")
    per_user: int = Field(default=1, ge=1, strict=True, description="How many items a user gets at most")
    exclude_seen: bool = Field(default=True, strict=True, description="Never offer what a user has interacted with")
    min_score: float | None = Field(
        default=None, strict=True, allow_inf_nan=False, description="Offer only what scores at least this"
    )
    score: Literal["dot", "lift"] = Field(
        default="dot", description="lift: the score minus the item's mean over all users"
    )


def allocation_model(limits: Limits) -> type[AskAllocation]:
    """Return the body's model with the bounds of a deployment."""
    bounds = {name: Field(max_length=limits.listed) for name in ("stock", "users")} | {"per_user": Field(le=limits.k)}
    return _bounded(AskAllocation, bounds)


def _bounded(base: type[M], bounds: dict[str, Any]) -> type[M]:
    fields: dict[str, Any] = {
        name: (
            Annotated[declared.annotation, declared, bounds[name]],
            ... if declared.is_required() else declared.default,
        )
        for name, declared in base.model_fields.items()
        if name in bounds
    }
    return create_model(base.__name__, __base__=base, **fields)


class Entry(BaseModel):
    """An id and its text."""

    id: int | str
    label: str


class Result(Entry):
    """One result; higher scores are better."""

    score: float


class Ranking(BaseModel):
    """Results, best first, never padded; ``query`` is null for somebody new.

    ``fallback`` is null, or says what stands in the place of an answer for an id that the model does not know.
    """

    query: Entry | None
    target: Literal["user", "item"]
    fallback: Literal["popular"] | None
    exact: bool
    results: list[Result]


class OneRanking(Ranking):
    """The answer to one id."""

    version: str
    direction: str


class Rankings(BaseModel):
    """One ranking per query."""

    version: str
    direction: str
    rankings: list[Ranking]


class Outcome(BaseModel):
    """What an allocation comes to: the sum of the scores, users who are offered something, and units left."""

    total: float
    reached: int
    left: int


class Left(BaseModel):
    """Units left of an item."""

    id: int | str
    left: int


class Offer(BaseModel):
    """One item for one user."""

    user: int | str
    item: int | str
    score: float


class Allocation(Outcome):
    """Who is offered what, by user, best first; ``gap`` is 0 where the total is proved to be the highest."""

    version: str
    bound: float
    gap: float
    greedy: Outcome
    items: list[Left]
    offers: list[Offer]


class Popular(BaseModel):
    """The most popular items, or the most active users; a score is the recent degree.

    In it an interaction counts half for every half-life of its age, in days; null where interactions have no times.
    """

    version: str
    side: Literal["user", "item"]
    half_life: float | None
    exact: bool
    results: list[Result]


class Lookalikes(BaseModel):
    """Those most like the seeds; a score above 0 says that one is more like them than like everybody.

    ``seeds`` counts those that were used, ``repeated`` those that had been given before, ``unknown`` lists the others.
    """

    version: str
    side: Literal["user", "item"]
    seeds: int
    repeated: int
    unknown: list[int | str]
    exact: bool
    results: list[Result]


class Describing(Entry):
    """An item that describes a segment: how much more often it is taken there than by all."""

    lift: float


class Segment(BaseModel):
    """One segment; its name is made of the first items that describe it."""

    segment: int
    size: int
    name: str
    describing: list[Describing]


class Member(Entry):
    """Who or what is in a segment, and the cosine with its centre."""

    similarity: float


class Segments(BaseModel):
    """The segments that were saved with the model, or the one asked for, with those nearest to its centre.

    ``stability`` is the adjusted Rand index with the segments that another seed finds.
    """

    version: str
    side: Literal["user", "item"]
    stability: float
    segments: list[Segment]
    members: list[Member] | None


class Found(Entry):
    """What matched; ``similarity`` is 1 where the text holds the query."""

    similarity: float


class FoundList(BaseModel):
    """What matched, best first."""

    version: str
    side: Literal["user", "item"]
    q: str
    results: list[Found]


class Chart(BaseModel):
    """Places in the plane, column by column.

    ``segments`` holds the segment of each, -1 for what is in none; null where none were saved.
    """

    version: str
    side: Literal["user", "item"]
    count: int
    ids: list[int | str]
    labels: list[str]
    x: list[float]
    y: list[float]
    segments: list[int] | None


class Known(Entry):
    """What is in a history, and how many interactions it has in all."""

    degree: int


class History(BaseModel):
    """What a user has interacted with, or who has interacted with an item; ``count`` is the length of the whole."""

    version: str
    side: Literal["user", "item"]
    query: Entry
    target: Literal["user", "item"]
    count: int
    order: Literal["popular"]
    results: list[Known]


class Part(Entry):
    """What one of the user's other items adds to the score, and its share of what they add together."""

    contribution: float
    share: float


class Explanation(BaseModel):
    """Where a score comes from; ``user`` is null for somebody new.

    ``own`` is the part of the item itself, where the user knows it; the reasons are other items.
    """

    version: str
    user: Entry | None
    item: Entry
    score: float
    explained: float
    own: float | None
    seen: bool
    history: int
    because: list[Part]


class About(BaseModel):
    """What is being served."""

    version: str
    loaded_at: float
    counts: dict[str, int]
    directions: list[dict[str, str]]
    indexes: list[dict[str, Any]]
    sides: dict[str, dict[str, Any]]
    limits: dict[str, int]
    refused: dict[str, Any] | None
    manifest: dict[str, Any]


class Problem(BaseModel):
    """What went wrong, after RFC 9457."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
