"""What the older MovieLens releases tell about their users."""

import pandas as pd

from mfrec.data.movielens_layouts import Root
from mfrec.errors import DataError

# file: (separator, order of the fields that are kept)
_FILES = {
    "u.user": ("|", ("user_id", "age", "gender", "occupation", "zip")),
    "users.dat": ("::", ("user_id", "gender", "age", "occupation", "zip")),
}


def users_file(source: Root) -> str | None:
    """Return the name of the file that tells about users, or None."""
    return next((name for name in _FILES if (source / name).is_file()), None)


def read_users(source: Root) -> pd.DataFrame:
    """Read ``user_id`` and ``age`` (int64), ``gender``, ``occupation`` and ``region`` (str).

    The region is the first digit of the zip code, a part of the United States; "" for those of other countries.

    Raises
    ------
    DataError
        When there is no such file, or naming the first line that is not a user.
    """
    name = users_file(source)
    if name is None:
        raise DataError(f"{source} tells nothing about its users: it holds none of {', '.join(_FILES)}")
    separator, order = _FILES[name]
    rows = []
    for number, line in enumerate((source / name).read_text("latin-1").splitlines(), 1):
        fields = dict(zip(order, line.split(separator), strict=False))
        if len(fields) < len(order) or not (fields["user_id"].isdecimal() and fields["age"].isdecimal()):
            raise DataError(f"{source / name} line {number}: not a user: {line[:80]!r}")
        region = fields["zip"][:1] if fields["zip"][:1].isdecimal() else ""
        row = {"gender": fields["gender"], "occupation": fields["occupation"]}
        rows.append({**row, "user_id": int(fields["user_id"]), "age": int(fields["age"]), "region": region})
    return pd.DataFrame(rows, columns=["user_id", "age", "gender", "occupation", "region"])
