"""What the older MovieLens releases tell about their users."""

import pandas as pd

from mfrec.datasets.parse import Root
from mfrec.errors import DataError

# file: (separator, order of the fields that are kept)
_FILES = {
    "u.user": ("|", ("user_id", "age", "gender", "occupation")),
    "users.dat": ("::", ("user_id", "gender", "age", "occupation")),
}


def read_users(source: Root) -> pd.DataFrame:
    """Read ``user_id`` (int64), ``age`` (a decade such as ``"20s"``), ``gender`` and ``occupation`` (str).

    Raises
    ------
    DataError
        When there is no such file, or naming the first line that is not a user.
    """
    name = next((n for n in _FILES if (source / n).is_file()), None)
    if name is None:
        raise DataError(f"{source} tells nothing about its users: it holds none of {', '.join(_FILES)}")
    separator, order = _FILES[name]
    rows = []
    for number, line in enumerate((source / name).read_text("latin-1").splitlines(), 1):
        fields = dict(zip(order, line.split(separator), strict=False))
        if len(fields) < len(order) or not (fields["user_id"].isdecimal() and fields["age"].isdecimal()):
            raise DataError(f"{source / name} line {number}: not a user: {line[:80]!r}")
        rows.append({**fields, "user_id": int(fields["user_id"]), "age": f"{int(fields['age']) // 10 * 10}s"})
    return pd.DataFrame(rows, columns=["user_id", "age", "gender", "occupation"])
