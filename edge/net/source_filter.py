"""A program of the kernel's packet filter (classic BPF) that drops what comes from some networks.

It is for a socket that listens, where it drops the first packet of each attempt to connect: nothing is answered,
accepted or closed. Each instruction has eight bytes: its code, how many to leave out when a comparison holds and when
it does not, and a number (linux/filter.h, ``struct sock_filter``). A TCP socket's filter sees the packet from the TCP
header on; the IP header is reached by negative offsets.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

#: More would not fit the one byte of a jump.
MAX_NETWORKS = 32

_INSTRUCTION = struct.Struct("=HBBI")
_LOAD_BYTE, _LOAD_WORD, _AND, _JUMP_IF_EQUAL, _JUMP, _RETURN = 0x30, 0x20, 0x54, 0x15, 0x05, 0x06
# SKF_NET_OFF: where the IP header begins; its first half byte is the version (RFC 791 §3.1, RFC 8200 §3).
_IP = 0xFFF00000
_V4_SOURCE, _V6_SOURCE = _IP + 12, _IP + 8
_V6 = 0x60
_ALL = 0xFFFFFFFF


def source_filter(networks: Sequence[bytes]) -> bytes:
    """The program that drops packets of ``networks``, each of ``client_network``, at most ``MAX_NETWORKS``."""
    assert len(networks) <= MAX_NETWORKS
    v4 = [int.from_bytes(network, "big") for network in networks if len(network) == 4]
    v6 = [divmod(int.from_bytes(network, "big"), 1 << 32) for network in networks if len(network) == 8]
    keep = _INSTRUCTION.pack(_RETURN, 0, 0, _ALL)
    drop = _INSTRUCTION.pack(_RETURN, 0, 0, 0)
    of_v4 = [_INSTRUCTION.pack(_LOAD_WORD, 0, 0, _V4_SOURCE)]
    for left, number in zip(range(len(v4), 0, -1), v4, strict=True):
        of_v4.append(_INSTRUCTION.pack(_JUMP_IF_EQUAL, left, 0, number))
    of_v6 = list[bytes]()
    for left, (high, low) in zip(range(len(v6) - 1, -1, -1), v6, strict=True):
        of_v6 += [
            _INSTRUCTION.pack(_LOAD_WORD, 0, 0, _V6_SOURCE),
            _INSTRUCTION.pack(_JUMP_IF_EQUAL, 0, 2, high),
            _INSTRUCTION.pack(_LOAD_WORD, 0, 0, _V6_SOURCE + 4),
            _INSTRUCTION.pack(_JUMP_IF_EQUAL, 4 * left + 1, 0, low),
        ]
    head = [
        _INSTRUCTION.pack(_LOAD_BYTE, 0, 0, _IP),
        _INSTRUCTION.pack(_AND, 0, 0, 0xF0),
        _INSTRUCTION.pack(_JUMP_IF_EQUAL, 1, 0, _V6),
        _INSTRUCTION.pack(_JUMP, 0, 0, len(of_v6) + 2),
    ]
    return b"".join([*head, *of_v6, keep, drop, *of_v4, keep, drop])
