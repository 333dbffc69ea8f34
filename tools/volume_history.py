"""What a client did to a volume, and what the volume may hold after a power cut.

Two clocks order what happened.  A *tick* counts what the client saw: requests sent, answers
received.  A *place* is how many operations the devices had logged at that moment.
"""

import random

from verifying import BLOCK, ZEROS, Failure, content, name, version_of


class Request:
    """A change of a range of blocks.  Its number is the version that its blocks then have."""

    __slots__ = ("acknowledged", "acknowledged_place", "count", "first", "is_durable", "is_zero", "number",
                 "submitted", "submitted_place")

    def __init__(self, number: int, first: int, count: int, is_zero: bool, is_durable: bool):
        self.number, self.first, self.count = number, first, count
        self.is_zero, self.is_durable = is_zero, is_durable
        self.acknowledged = self.acknowledged_place = None


class Flush:
    """A flush: covers what was acknowledged before it was sent."""

    __slots__ = ("acknowledged_place", "submitted")

    def __init__(self, submitted: int):
        self.submitted, self.acknowledged_place = submitted, None


class History:
    """All that a client asked of one volume.  Requests in flight together never overlap, so that
    the blocks' versions follow in the order of the requests' numbers."""

    def __init__(self, block_count: int, seed: int):
        self.block_count, self.seed = block_count, seed
        self.requests, self.flushes = [], []
        self.busy = [False] * block_count
        self.current = [0] * block_count
        """The number of the last acknowledged request of each block."""
        self.in_doubt = set()
        """Blocks whose last request got no answer."""
        self.tick = 0

    def begin(self, first: int, count: int, place: int, is_zero: bool, is_durable: bool) -> Request | None:
        """Notes a request that is about to be sent; None if one in flight touches the range."""
        if any(self.busy[first : first + count]):
            return None
        request = Request(len(self.requests) + 1, first, count, is_zero, is_durable)
        self.tick += 1
        request.submitted, request.submitted_place = self.tick, place
        self.requests.append(request)
        self.busy[first : first + count] = [True] * count
        return request

    def finish(self, request: Request, place: int):
        """Notes the answer."""
        self.tick += 1
        request.acknowledged, request.acknowledged_place = self.tick, place
        span = slice(request.first, request.first + request.count)
        self.busy[span] = [False] * request.count
        self.current[span] = [request.number] * request.count
        self.in_doubt.difference_update(range(request.first, request.first + request.count))

    def begin_flush(self) -> Flush:
        self.tick += 1
        flush = Flush(self.tick)
        self.flushes.append(flush)
        return flush

    def finish_flush(self, flush: Flush, place: int):
        self.tick += 1
        flush.acknowledged_place = place

    def lose_server(self):
        """Requests without an answer may have happened or not."""
        self.in_doubt.update(block for block in range(self.block_count) if self.busy[block])
        self.busy = [False] * self.block_count

    def data(self, request: Request) -> bytes:
        return b"".join(content(block, request.number, self.seed)
                        for block in range(request.first, request.first + request.count))

    def check_read(self, first: int, data: bytes):
        """Checks a read of blocks that nothing in flight touched."""
        for index in range(len(data) // BLOCK):
            block = first + index
            if block in self.in_doubt:
                continue
            number = self.current[block]
            version = 0 if number == 0 or self.requests[number - 1].is_zero else number
            found = data[index * BLOCK : (index + 1) * BLOCK]
            if found != content(block, version, self.seed):
                raise Failure(f"block {block} reads as {name(found)}, not as version {version}")

    def check_image(self, image: bytes, place: int, is_complete: bool) -> int:
        """Checks what the volume holds after a cut at `place`; returns how many requests had to be there.

        `is_complete` says that the cut left all writes that the devices had completed: then every
        acknowledged request must be there, flushed or not.
        """
        seen = self._identify(image, place)
        through = self._durable_through(place)
        for version in set(seen):
            if version:
                through = max(through, self.requests[version - 1].submitted)
        least, zeroed, required = [0] * self.block_count, [0] * self.block_count, 0
        visible = set(seen)
        for request in self.requests:
            if request.submitted_place > place:
                break
            span = slice(request.first, request.first + request.count)
            is_acknowledged = request.acknowledged is not None and request.acknowledged_place <= place
            if (
                request.number in visible
                or (is_acknowledged and (is_complete or request.is_durable))
                or (request.acknowledged is not None and request.acknowledged < through)
            ):
                least[span] = [request.number] * request.count
                required += 1
            if request.is_zero:
                zeroed[span] = [request.number] * request.count
        for block, version in enumerate(seen):
            newest = version or zeroed[block]
            if newest < least[block]:
                found = f"version {version}" if version else "zeros"
                raise Failure(f"block {block} holds {found}; version {least[block]} must be there or a later one")
        return required

    def _durable_through(self, place: int) -> int:
        """The tick before which everything acknowledged is durable at `place`."""
        through = 0
        for flush in self.flushes:
            if flush.acknowledged_place is not None and flush.acknowledged_place <= place:
                through = max(through, flush.submitted)
        for request in self.requests:
            if request.is_durable and request.acknowledged is not None and request.acknowledged_place <= place:
                through = max(through, request.submitted)
        return through

    def _identify(self, image: bytes, place: int) -> list[int]:
        """The version that each block holds: one that was sent by then, of this very block."""
        seen = []
        for block in range(self.block_count):
            found = image[block * BLOCK : (block + 1) * BLOCK]
            if found == ZEROS:
                seen.append(0)
                continue
            version = version_of(found, block, self.seed)
            if version is None or version > len(self.requests):
                raise Failure(f"block {block} holds {name(found)}")
            request = self.requests[version - 1]
            if request.is_zero or not request.first <= block < request.first + request.count:
                raise Failure(f"block {block} holds {name(found)}, which was never sent")
            if request.submitted_place > place:
                raise Failure(f"block {block} holds {name(found)}, which was sent later")
            seen.append(version)
        return seen


def draw_range(generator: random.Random, block_count: int) -> tuple[int, int]:
    """A range of up to 1 MiB; four of five lie in the first quarter, which so stays warm."""
    count = generator.choice([1, 1, 1, 2, 4, 16, 64, 256])
    end = block_count // 4 if generator.random() < 0.8 else block_count
    return generator.randrange(end - count + 1), count
