"""Damaged inputs from honest ones: bytes and lengths changed, parts moved, dropped and mixed."""

import struct
from collections.abc import Callable, Iterator, Sequence
from random import Random

_NUMBERS = (0, 1, 2, 3, 7, 8, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)
_LONG_NUMBERS = (*_NUMBERS, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
_LONGEST_BYTES = 8192
_PDU_HEAD = struct.Struct(">BBI")

Mutation = Callable[[bytearray, Random], None]


def mutants(seeds: Sequence[bytes], random: Random, *, pdus: bool) -> Iterator[bytes]:
    """Damaged inputs without end; the first byte of a seed is its own, the rest is `pdus` or not.

    With `pdus` half of them are changed PDU by PDU, each PDU's length made right afterwards, so
    that the damage is met by what reads it and not by the first look at its size.
    """
    while True:
        seed = random.choice(seeds)
        first, rest = seed[0], bytearray(seed[1:])
        if random.random() < 0.2:
            _splice(rest, random.choice(seeds)[1:], random)
        if pdus and random.random() < 0.5:
            rest = _by_pdu(rest, random)
        else:
            _damage(rest, random)
        if random.random() < 0.02:
            first = random.randrange(256)
        yield bytes([first]) + bytes(rest[:_LONGEST_BYTES])


def _damage(data: bytearray, random: Random) -> None:
    for _ in range(1 + int(random.expovariate(0.6))):
        random.choice(_MUTATIONS)(data, random)


def _by_pdu(data: bytearray, random: Random) -> bytearray:
    pdus = [bytearray(pdu) for pdu in _split(data)]
    for _ in range(1 + int(random.expovariate(0.8))):
        if not pdus:
            break
        number = random.randrange(len(pdus))
        match random.randrange(6):
            case 0:
                pdus.insert(number, bytearray(random.choice(pdus)))
            case 1 if len(pdus) > 1:
                del pdus[number]
            case 2:
                random.shuffle(pdus)
            case _:
                body = pdus[number][_PDU_HEAD.size :]
                _damage(body, random)
                kind = pdus[number][0] if random.random() < 0.95 else random.randrange(10)
                pdus[number] = bytearray(_PDU_HEAD.pack(kind, 0, len(body))) + body
    return bytearray(b"".join(pdus))


def _split(data: bytearray) -> Iterator[bytearray]:
    position = 0
    while position + _PDU_HEAD.size <= len(data):
        end = position + _PDU_HEAD.size + int(_PDU_HEAD.unpack_from(data, position)[2])
        yield data[position:end]
        position = end


def _flip(data: bytearray, random: Random) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _replace(data: bytearray, random: Random) -> None:
    if data:
        data[random.randrange(len(data))] = random.randrange(256)


def _number(data: bytearray, random: Random) -> None:
    form = random.choice(("<H", ">H", "<I", ">I"))
    size = struct.calcsize(form)
    if len(data) >= size:
        value = random.choice(_NUMBERS if size == 2 else _LONG_NUMBERS)
        struct.pack_into(form, data, random.randrange(len(data) - size + 1), value)


def _nudge(data: bytearray, random: Random) -> None:
    """Make a number a little larger or smaller, as a length that is off by one."""
    form = random.choice(("<H", ">H", "<I", ">I"))
    size = struct.calcsize(form)
    if len(data) >= size:
        position = random.randrange(len(data) - size + 1)
        value = struct.unpack_from(form, data, position)[0] + random.randrange(-16, 17)
        struct.pack_into(form, data, position, value % (1 << 8 * size))


def _insert(data: bytearray, random: Random) -> None:
    at = random.randrange(len(data) + 1)
    data[at:at] = random.randbytes(random.choice((1, 2, 4, 8, 64)))


def _delete(data: bytearray, random: Random) -> None:
    begin, end = _range(data, random)
    del data[begin:end]


def _repeat(data: bytearray, random: Random) -> None:
    begin, end = _range(data, random)
    at = random.randrange(len(data) + 1)
    data[at:at] = data[begin:end] * random.choice((1, 1, 2, 16))


def _cut(data: bytearray, random: Random) -> None:
    del data[random.randrange(len(data) + 1) :]


def _splice(data: bytearray, other: bytes, random: Random) -> None:
    begin, end = _range(data, random)
    there, till = _range(other, random)
    data[begin:end] = other[there:till]


def _range(data: bytes | bytearray, random: Random) -> tuple[int, int]:
    begin = random.randrange(len(data) + 1)
    return begin, min(len(data), begin + random.choice((1, 2, 4, 8, 16, 64, 256)))


_MUTATIONS: Sequence[Mutation] = (
    _flip,
    _flip,
    _replace,
    _replace,
    _number,
    _number,
    _nudge,
    _nudge,
    _insert,
    _delete,
    _repeat,
    _cut,
)
