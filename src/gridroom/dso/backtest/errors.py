"""What cannot be tested, in one line that says what to do."""


class BacktestError(Exception):
    """The loads, the limits or the choices cannot be used; names the file, row or column."""
