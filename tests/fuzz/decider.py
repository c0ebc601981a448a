"""Decisions out of bytes, so that a coverage-guided fuzzer can steer a conversation."""


class Decider:
    """Takes its decisions from the front of the bytes and its pieces from the back; 0 when they are used up."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at, self._end = data, 0, len(data)

    @property
    def left(self) -> bool:
        return self._at < self._end

    def below(self, n: int) -> int:
        """A number from 0 to n - 1, for n up to 256."""
        if not self.left:
            return 0
        self._at += 1
        return self._data[self._at - 1] % n

    def piece(self, length: int) -> bytes:
        """Bytes as they are."""
        begin = max(self._at, self._end - length)
        piece, self._end = self._data[begin : self._end], begin
        return piece

    def mangled(self, data: bytes) -> bytes:
        """The bytes, in one of three cases changed: overwritten, cut, or with something put in."""
        if not data or self.below(3):
            return data
        place = (self.below(256) * 256 + self.below(256)) % len(data)
        match self.below(3):
            case 0:
                piece = self.piece(1 + self.below(8))
                return data[:place] + piece + data[place + len(piece) :]
            case 1:
                return data[:place] + data[place + 1 + self.below(64) :]
            case _:
                return data[:place] + self.piece(1 + self.below(64)) + data[place:]
