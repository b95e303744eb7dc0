"""Rendering: order, duplicates, ranges, pieces, ends, restart, and what is refused."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from lanecast.transport.tokens import render
from lanecast.transport.tokens.render import Renderer, RendererState, Slots, in_order
from lanecast.transport.units import NEVER
from lanecast.transport.wire import Data, Piece, split_token

ROCKET = "🚀".encode()


def pieces_of(token: bytes) -> list[Piece]:
    return [frame.piece for frame in split_token(0, token, number=0) if frame.piece is not None]


def test_a_token_is_rendered_when_it_and_all_earlier_ones_are_held() -> None:
    assert in_order(np.array([5, 3, 9, 7])).tolist() == [5, 5, 9, 9]
    assert in_order(np.array([5, NEVER, 9])).tolist() == [5, NEVER, NEVER]


def test_slots_note_the_first_copy_only() -> None:
    slots = Slots()
    assert slots.arrive(10, 1)
    assert not slots.arrive(20, 1)
    assert slots.arrive(30, 0)
    assert (slots.duplicates, slots.held, slots.next_index) == (1, 2, 2)
    assert slots.arrivals().tolist() == [30, 10]
    assert slots.renders().tolist() == [30, 30]


def test_slots_tell_the_lowest_ranges_beyond_the_cumulative_index() -> None:
    slots = Slots()
    for index in (0, 2, 3, 5, 7, 9):
        slots.arrive(1, index)
    assert slots.next_index == 1
    assert slots.ranges() == ((2, 4), (5, 6), (7, 8))
    assert slots.ranges(9) == ((2, 4), (5, 6), (7, 8), (9, 10))
    slots.arrive(2, 1)
    assert (slots.next_index, slots.ranges()) == (4, ((5, 6), (7, 8), (9, 10)))


def test_slots_without_a_hole_have_no_range() -> None:
    slots = Slots()
    assert (slots.ranges(), slots.stop, slots.arrivals().tolist()) == ((), 0, [])
    slots.arrive(1, 0)
    assert slots.ranges() == ()


def test_columns_are_filled_up_with_never() -> None:
    slots = Slots()
    slots.arrive(4, 1)
    assert slots.has(1)
    assert not slots.has(0)
    assert not slots.has(9)
    assert slots.arrivals(3).tolist() == [NEVER, 4, NEVER]
    assert slots.arrivals(1).tolist() == [NEVER]
    assert slots.renders(3).tolist() == [NEVER, NEVER, NEVER]


def test_text_appears_in_order_whatever_the_order_of_arrival() -> None:
    renderer = Renderer()
    assert renderer.arrive(1, 2, b"c") == ""
    assert renderer.arrive(2, 0, b"a") == "a"
    assert renderer.arrive(3, 1, b"b") == "bc"
    assert (renderer.text, renderer.done) == ("abc", False)


def test_a_character_waits_for_its_last_byte() -> None:
    renderer = Renderer()
    assert [renderer.arrive(i, i, ROCKET[i : i + 1]) for i in range(4)] == ["", "", "", "🚀"]


def test_an_empty_token_takes_its_slot_and_shows_nothing() -> None:
    renderer = Renderer()
    assert renderer.arrive(1, 1, b"x") == ""
    assert renderer.arrive(2, 0, b"") == "x"


def test_the_end_shows_a_character_that_the_source_never_finished() -> None:
    renderer = Renderer()
    renderer.arrive(1, 0, b"a" + ROCKET[:2])
    assert (renderer.text, renderer.finish(1), renderer.text) == ("a", "\ufffd", "a\ufffd")
    assert renderer.done
    assert renderer.finish(1) == ""


def test_the_end_may_be_known_before_the_last_token() -> None:
    renderer = Renderer()
    assert renderer.finish(1) == ""
    assert not renderer.done
    assert renderer.arrive(5, 0, ROCKET[:1]) == "\ufffd"
    assert renderer.done


def test_a_lost_end_leaves_the_text_open_until_it_is_closed() -> None:
    renderer = Renderer()
    renderer.arrive(1, 0, b"ab" + ROCKET[:3])
    renderer.arrive(1, 2, b"never shown")
    assert not renderer.done
    assert renderer.close() == "\ufffd"
    assert renderer.done
    assert renderer.text == "ab\ufffd"


def test_an_empty_stream_ends_at_once() -> None:
    renderer = Renderer()
    assert renderer.finish(0) == ""
    assert renderer.done


def test_a_contradicting_end_is_refused() -> None:
    renderer = Renderer()
    renderer.arrive(1, 3, b"d")
    assert renderer.finish(2) == ""
    assert (renderer.end, renderer.refused) == (None, 1)
    renderer.finish(4)
    renderer.finish(5)
    assert (renderer.end, renderer.refused) == (4, 2)
    assert renderer.arrive(2, 4, b"e") == ""
    assert renderer.refused == 3


def test_an_index_far_ahead_is_refused_without_taking_memory() -> None:
    renderer = Renderer()
    renderer.arrive(1, render.WINDOW, b"x")
    renderer.arrive(1, 2**32 - 2, b"x")
    assert (renderer.refused, renderer.slots.stop) == (2, 0)
    renderer.arrive(1, render.WINDOW - 1, b"x")
    assert renderer.slots.held == 1


def test_waiting_bytes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "MAX_WAITING_BYTES", 10)
    renderer = Renderer()
    renderer.arrive(1, 1, b"12345678")
    renderer.arrive(1, 2, b"abc")
    assert (renderer.refused, renderer.slots.held) == (1, 1)
    assert renderer.arrive(2, 0, b"0") == "012345678"
    assert renderer.arrive(3, 2, b"abc") == "abc"


def test_a_64_kib_token_arrives_with_its_last_piece_in_any_order() -> None:
    token = ("é🚀x" * 9400).encode()[:65_536]
    pieces = pieces_of(token)
    assert len(pieces) > 50
    renderer = Renderer()
    renderer.finish(1)
    for piece in (*pieces[:0:-1], *pieces[:0:-1]):
        assert renderer.arrive_piece(1, 0, piece) == ""
    assert renderer.arrive_piece(9, 0, pieces[0]) == token.decode("utf-8", "replace")
    assert renderer.slots.arrivals().tolist() == [9]
    renderer.arrive_piece(10, 0, pieces[0])
    assert renderer.slots.duplicates == 1


def test_pieces_that_contradict_each_other_are_refused() -> None:
    renderer = Renderer()
    renderer.arrive_piece(1, 0, Piece(0, 2, b"a"))
    assert renderer.arrive_piece(2, 0, Piece(0, 1, b"b")) == ""
    assert renderer.refused == 1
    assert renderer.arrive_piece(3, 0, Piece(1, 2, b"c")) == "ac"


def test_a_restarted_receiver_goes_on_where_the_old_one_stopped() -> None:
    old = Renderer()
    old.arrive(1, 0, b"a" + ROCKET[:2])
    old.arrive(2, 2, b"c")
    old.arrive(2, 2, b"c")
    stored = msgspec.json.encode(old.state())
    new = Renderer.restarted(msgspec.json.decode(stored, type=RendererState))
    assert (new.slots.next_index, new.slots.ranges(), new.slots.duplicates) == (1, ((2, 3),), 1)
    assert old.text + new.arrive(5, 1, ROCKET[2:]) == "a🚀c"
    assert new.finish(3) == ""
    assert new.done
    assert new.slots.arrivals().tolist() == [1, 5, 2]


def test_two_streams_on_one_port_do_not_mix() -> None:
    renderers = {1: Renderer(), 2: Renderer()}
    frames = [
        Data(stream=stream, number=i, first=i, tokens=((i, b"%d" % stream),))
        for i in range(3)
        for stream in (1, 2)
    ]
    for frame in reversed(frames):
        for index, text in frame.tokens:
            renderers[frame.stream].arrive(0, index, text)
    assert [renderer.text for renderer in renderers.values()] == ["111", "222"]
