"""What travels: the envelope around a message and the answer to it, the same bytes for every product."""

from typing import Any, get_args, get_origin

import msgspec

from minicloud.base.errors import CloudError, ErrorFacts, Failed, Invalid, from_facts, to_facts
from minicloud.engines.messaging import Message


class Envelope(msgspec.Struct, array_like=True, frozen=True):
    """A message on its way. ``timeout_s`` is the time it had when it left; ``body`` is the message in msgpack."""

    name: str
    request_id: str
    resource: str
    timeout_s: float
    body: bytes


class Answer(msgspec.Struct, array_like=True, frozen=True):
    """What came of a message: an error, or the answer in msgpack."""

    error: ErrorFacts | None
    body: bytes = b""


_encoder = msgspec.msgpack.Encoder()
_envelopes = msgspec.msgpack.Decoder(Envelope)
_answers = msgspec.msgpack.Decoder(Answer)


def name_of(message: type[Message[Any]]) -> str:
    """The tag under which the message travels."""
    tag = message.__struct_config__.tag
    if not isinstance(tag, str):
        raise TypeError(f"{message.__name__} needs a text as its tag")
    return tag


def answer_type(message: type[Message[Any]]) -> Any:
    """``R`` of the ``Message[R]`` that this class derives from."""
    for base in getattr(message, "__orig_bases__", ()):
        if get_origin(base) is Message:
            return get_args(base)[0]
    raise TypeError(f"{message.__name__} must derive from Message[<type of its answer>]")


def seal(message: Message[Any], *, request_id: str, resource: str, timeout_s: float) -> bytes:
    """A message as the bytes that travel. Raises TypeError when a field holds what msgpack cannot carry."""
    return _encoder.encode(Envelope(name_of(type(message)), request_id, resource, timeout_s, _encoder.encode(message)))


def unseal(sealed: bytes) -> Envelope:
    """The envelope again; its body is still closed."""
    return _envelopes.decode(sealed)


def read_body(envelope: Envelope, decoder: msgspec.msgpack.Decoder[Any]) -> Message[Any]:
    """The message inside.

    Raises:
        Invalid: kind ``bad_message``, its fields are not what this side knows under that name.
    """
    try:
        message: Message[Any] = decoder.decode(envelope.body)
    except msgspec.DecodeError as error:
        raise Invalid(f"message {envelope.name!r} cannot be read: {error}", kind="bad_message") from error
    return message


def seal_answer(answer: Any) -> bytes:
    """A handler's answer as the bytes that travel. Raises TypeError when msgpack cannot carry it."""
    return _encoder.encode(Answer(None, _encoder.encode(answer)))


def seal_error(error: CloudError) -> bytes:
    """A handler's error as the bytes that travel."""
    return _encoder.encode(Answer(to_facts(error)))


def read_answer(sealed: bytes, decoder: msgspec.msgpack.Decoder[Any], name: str) -> Any:
    """The answer.

    Raises:
        CloudError: that the handler raised, of the same meaning.
        Failed: kind ``bad_answer``, it is not of the type that the message promises.
    """
    answer = _answers.decode(sealed)
    if answer.error is not None:
        raise from_facts(answer.error)
    try:
        return decoder.decode(answer.body)
    except msgspec.DecodeError as error:
        raise Failed(f"the answer to {name!r} is not of the promised type: {error}", kind="bad_answer") from error
