"""Calls of a node by gRPC, and what is said where one cannot be made."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# The library tells its own troubles on the standard error, line by line.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import grpc

from proto.edge.v1 import clients_pb2_grpc, flags_pb2_grpc, node_pb2_grpc, streams_pb2_grpc, upstreams_pb2_grpc

DEFAULT_ADDRESS = "127.0.0.1:8079"
TIMEOUT_S = 10.0
#: Exit codes: it was done or plays; it was not or does not; the node could not be asked; it is not known.
DONE, NOT_DONE, CANNOT_ASK, UNKNOWN = 0, 1, 2, 3

_OPTIONS = (("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", 64 << 20))
_NOT_DONE = frozenset({grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION})


class CtlError(Exception):
    """A command came to nothing.

    Attributes:
        text: for people.
        exit_code: of the program.
    """

    def __init__(self, text: str, exit_code: int = CANNOT_ASK) -> None:
        super().__init__(text)
        self.text = text
        self.exit_code = exit_code


class Client:
    """A node, by its address; close it in the end.

    Attributes:
        streams, clients, upstreams, flags, node: stubs of its services.
    """

    def __init__(self, address: str, *, timeout_s: float = TIMEOUT_S, is_tls: bool = False, ca: str = "") -> None:
        """``ca``: a file of certificates that are believed, instead of the system's. Raises CtlError."""
        self.address = address
        self._timeout_s = timeout_s
        host, colon, port = address.rpartition(":")
        if not colon or not host or not port.isdecimal():
            raise CtlError(f"{address}: expected HOST:PORT")
        if is_tls:
            self._channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(_read(ca)), options=_OPTIONS)
        else:
            self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        self.streams: Any = streams_pb2_grpc.StreamsStub(self._channel)
        self.clients: Any = clients_pb2_grpc.ClientsStub(self._channel)
        self.upstreams: Any = upstreams_pb2_grpc.UpstreamsStub(self._channel)
        self.flags: Any = flags_pb2_grpc.FlagsStub(self._channel)
        self.node: Any = node_pb2_grpc.NodeStub(self._channel)

    def call(self, method: Callable[..., Any], request: Any) -> Any:
        """The answer of one call; raises CtlError."""
        try:
            return method(request, timeout=self._timeout_s)
        except grpc.RpcError as error:
            raise self._error_of(error) from error

    def stream(self, method: Callable[..., Any], request: Any, within_s: float | None = None) -> Iterator[Any]:
        """The answers of a call, as they come, until the node or the time ends it; raises CtlError."""
        try:
            yield from method(request, timeout=within_s)
        except grpc.RpcError as error:
            if within_s is not None and _code_of(error) is grpc.StatusCode.DEADLINE_EXCEEDED:
                return
            raise self._error_of(error) from error

    def _error_of(self, error: grpc.RpcError) -> CtlError:
        code, text = _code_of(error), str(error.details() or "")
        if code in _NOT_DONE:
            return CtlError(text, NOT_DONE)
        if code is grpc.StatusCode.UNIMPLEMENTED:
            port = "this port has no such call. Control is on the internal port (-internal_port), and on others"
            return CtlError(f"{self.address}: {port} for this machine alone where none is set; or the node is older")
        if code is grpc.StatusCode.UNAVAILABLE:
            return CtlError(f"{self.address}: no edge answers there ({text})")
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return CtlError(f"{self.address}: no answer in time ({text})")
        return CtlError(f"{self.address}: {text} ({code.name.lower()})")

    def close(self) -> None:
        """Let go of the node."""
        self._channel.close()


def _code_of(error: grpc.RpcError) -> Any:
    return error.code()


def _read(path: str) -> bytes | None:
    if not path:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise CtlError(f"{path}: {error.strerror or error}") from error
