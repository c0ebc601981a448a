"""What can be wrong with what the street is given."""


class SimError(Exception):
    """The street cannot be built or run from this; the message says where and what to do."""
