"""Any text, cut anywhere, over any loss, duplication and reordering, is shown whole and never broken."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from lanecast.transport.rng import Streams
from lanecast.transport.tokens.render import Renderer, RendererState
from lanecast.transport.tokens.text import cut
from lanecast.transport.wire import Data, decode, encode_data

texts = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from("aé€🚀\u0301\u200d👩\ufffd")), max_size=40
)


def cut_at(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in zip(edges, edges[1:], strict=False)]


@given(texts, st.lists(st.integers(0, 10_000), max_size=30), st.data())
def test_final_text_is_identical_and_every_render_is_a_valid_prefix(
    text: str, places: list[int], data: st.DataObject
) -> None:
    tokens = cut_at(text.encode(), places)
    survivors = data.draw(st.lists(st.integers(0, len(tokens) - 1), max_size=60), label="arrivals")
    restart_at = data.draw(st.integers(0, len(survivors)), label="restart")
    renderer, shown = Renderer(), ""
    for step, index in enumerate([*survivors, *range(len(tokens))]):
        if step == restart_at:
            stored = msgspec.json.encode(renderer.state())
            renderer = Renderer.restarted(msgspec.json.decode(stored, type=RendererState))
        shown += renderer.arrive(step, index, tokens[index])
        assert text.startswith(shown)
        held = b"".join(tokens[: renderer.slots.next_index])
        assert len(held) - 3 <= len(shown.encode()) <= len(held)
    shown += renderer.finish(len(tokens))
    assert shown.encode() == text.encode()
    assert renderer.slots.held == len(tokens)
    assert renderer.slots.duplicates == len(survivors)


@given(st.lists(st.binary(max_size=6), max_size=12), st.data())
def test_bytes_that_are_no_utf8_show_as_decoding_the_whole_would(
    tokens: list[bytes], data: st.DataObject
) -> None:
    renderer = Renderer()
    for now, index in enumerate(data.draw(st.permutations(range(len(tokens))))):
        renderer.arrive(now, index, tokens[index])
    renderer.finish(len(tokens))
    assert renderer.text == b"".join(tokens).decode("utf-8", "replace")


@given(texts, st.integers(0, 1000), st.integers(1, 8))
def test_cut_text_keeps_every_byte_and_bounds_every_token(text: str, seed: int, longest: int) -> None:
    tokens = cut(text.encode(), stream=Streams(seed).stream("text"), longest=longest)
    assert b"".join(tokens) == text.encode()
    assert all(1 <= len(token) <= longest for token in tokens)


@given(
    texts, st.lists(st.integers(0, 10_000), max_size=10), st.lists(st.booleans(), min_size=40, max_size=40)
)
def test_text_survives_the_wire_with_lost_packets_repeated_later(
    text: str, places: list[int], fates: list[bool]
) -> None:
    """Every packet carries one token; a lost one is sent again in a packet with all that are missing."""
    tokens = cut_at(text.encode(), places)
    renderer = Renderer()
    for index, token in enumerate(tokens):
        if fates[index]:
            _carry(renderer, Data(number=index, first=index, tokens=((index, token),)))
    missing = tuple((i, token) for i, token in enumerate(tokens) if not renderer.slots.has(i))
    first = missing[0][0] if missing else len(tokens)
    if len(tokens) - 1 in dict(missing) or not missing:
        _carry(renderer, Data(number=99, first=first, tokens=missing, fin=True))
    else:
        _carry(renderer, Data(number=99, first=first, tokens=missing))
        _carry(renderer, Data(number=100, first=len(tokens), fin=True))
    assert renderer.done
    assert renderer.text == text


def _carry(renderer: Renderer, frame: Data) -> None:
    got = decode(encode_data(frame))
    assert isinstance(got, Data)
    for index, token in got.tokens:
        renderer.arrive(0, index, token)
    if got.fin:
        renderer.finish(got.end)
