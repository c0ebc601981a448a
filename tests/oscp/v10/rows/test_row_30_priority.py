"""Row 30: which priority a message has. What is done with it stands in section 3.2.1."""

from dataclasses import replace

import pytest

from gridroom.oscp.errors import LocalError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.letters import DEFAULT_PRIORITY, Peer, letter
from gridroom.oscp.v10.messages import CSP_NAMESPACE, OPERATIONS, HeartbeatResponse, Request, Result, operation_of
from gridroom.oscp.v10.receiving import (
    read_request,
)
from gridroom.oscp.v10.replying import (
    write_answer,
)
from oscp_messages import HEARTBEAT, REQUESTS, named
from oscp_samples import FORECAST, HEADER, REQUEST, START, USAGE, changed, fault, read, rows, written

PEER = Peer("p", frozenset({"dso"}), "dso", "cso", frozenset({"cso"}), "https://p.example/")
EXAMPLES = {"UpdateCableCapacityForecast": 0, "Heartbeat": 0}


@pytest.mark.parametrize(
    "priority", ["-3", "0", "+7", " 2 ", "007", "-999999999999999999", "9" * 19, "0" * 4000 + "9" * 64]
)
def test_any_integer_is_read_and_the_answer_echoes_it(priority: str) -> None:
    data = changed(HEARTBEAT, (">0</Priority>", f">{priority}</Priority>"))
    incoming = read_request(PEER, CSP_NAMESPACE, data, START)
    assert incoming.envelope.header.priority == int(priority)
    answer = write_answer(incoming, HeartbeatResponse(START, Result.success()), now=START, message_id="a")
    assert soap.read(answer).header.priority == int(priority)


@pytest.mark.parametrize("priority", ["high", "1.5", "", "+", "--1", "0x1", "٣", "1 2"])
def test_no_other_word_is(priority: str) -> None:
    assert fault(HEARTBEAT, (">0</Priority>", f">{priority}</Priority>")).path.endswith("Priority")


@pytest.mark.parametrize("sign", ["", "+", "-"])
def test_one_of_very_many_digits_is_cut_and_comes_before_all_others(sign: str) -> None:
    envelope = read(HEARTBEAT, (">0</Priority>", f">{sign}1{'0' * 9000}</Priority>"))
    assert abs(envelope.header.priority) == 10**64 - 1
    assert (envelope.header.priority < 0) == (sign == "-")
    assert rows(envelope) == {30}
    assert soap.read(soap.write(replace(HEADER, priority=envelope.header.priority), HEARTBEAT)).header.priority


def test_absent_is_0_with_a_deviation() -> None:
    envelope = read(HEARTBEAT, (f'<Priority xmlns="{CSP_NAMESPACE}">0</Priority>', ""))
    assert envelope.header.priority == 0
    assert rows(envelope) == {30}


@pytest.mark.parametrize("body", REQUESTS, ids=named)
def test_0_for_forecasts_and_heartbeats_1_for_the_csos_three_or_what_is_given(body: Request) -> None:
    usual = EXAMPLES.get(operation_of(body), 1)
    for given, meant in ((None, usual), (7, 7), (-2, -2)):
        one = letter(PEER, body, now=START, message_id="m", priority=given)
        assert one.priority == soap.read(one.data).header.priority == meant


def test_every_operation_has_one() -> None:
    assert DEFAULT_PRIORITY.keys() == OPERATIONS.keys()
    assert {type(one).__name__ for one in (FORECAST, REQUEST, USAGE)} <= {named(one) for one in REQUESTS}


def test_what_could_not_be_read_back_is_not_written() -> None:
    with pytest.raises(LocalError, match="priority"):
        soap.write(replace(HEADER, priority=10**64), HEARTBEAT)
    assert "<Priority" in written(HEARTBEAT)
