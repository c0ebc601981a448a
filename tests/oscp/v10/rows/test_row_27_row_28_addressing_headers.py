"""Rows 27 and 28: what may stand once, and where answers go."""

import pytest

from gridroom.oscp.errors import RemoteError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import CSP_NAMESPACE, DSO_NAMESPACE, Message
from oscp_messages import HEARTBEAT, OK
from oscp_samples import GRANT, fault, read, rows, written

WSA = "http://www.w3.org/2005/08/addressing"
ANONYMOUS = f"{WSA}/anonymous"
FROM = f'<From xmlns="{WSA}"><Address>urn:x</Address></From>'


def doubled(message: Message, name: str, old: str = "", new: str = "") -> bytes:
    text = written(message)
    start, end = text.index(f"<{name} "), text.index(f"</{name}>") + len(f"</{name}>")
    return (text[:end] + text[start:end].replace(old, new) + text[end:]).encode()


class TestRow27:
    @pytest.mark.parametrize("name", ["Action", "MessageID", "To", "ReplyTo"])
    def test_an_addressing_header_twice_is_invalid_cardinality(self, name: str) -> None:
        with pytest.raises(RemoteError) as caught:
            soap.read(doubled(HEARTBEAT, name))
        assert (caught.value.sender, caught.value.subcode) == (True, "InvalidCardinality")
        assert caught.value.path == f"Envelope/Header/{name}[2]"

    def test_so_are_from_fault_to_and_an_answers_relates_to(self) -> None:
        for twice in (FROM * 2, FROM.replace("From", "FaultTo").replace("urn:x", ANONYMOUS) * 2):
            assert fault(HEARTBEAT, ("</soap:Header>", f"{twice}</soap:Header>")).subcode == "InvalidCardinality"
        with pytest.raises(RemoteError) as caught:
            soap.read(doubled(OK, "RelatesTo"))
        assert caught.value.subcode == "InvalidCardinality"

    @pytest.mark.parametrize("swap", [(), (CSP_NAMESPACE, DSO_NAMESPACE)])
    @pytest.mark.parametrize("name", ["Parties", "Priority", "DateTime"])
    def test_an_oscp_header_twice_is_refused_in_whatever_namespace(
        self, name: str, swap: tuple[str, str] | tuple[()]
    ) -> None:
        with pytest.raises(RemoteError, match=f"{name} appears 2 times") as caught:
            soap.read(doubled(HEARTBEAT, name, *swap))
        assert caught.value.sender

    @pytest.mark.parametrize("name", ["senderID", "receiverID"])
    def test_so_is_a_party_twice(self, name: str) -> None:
        fault(HEARTBEAT, (f"<{name}>", f"<{name}>x</{name}><{name}>"))

    def test_one_from_is_read_over(self) -> None:
        assert read(HEARTBEAT, ("</soap:Header>", f"{FROM}</soap:Header>")).deviations == ()


class TestRow28:
    @pytest.mark.parametrize("name", ["ReplyTo", "FaultTo"])
    @pytest.mark.parametrize("address", [ANONYMOUS, f"{WSA}/none", f"\n {ANONYMOUS} "])
    def test_anonymous_and_none_are_read(self, name: str, address: str) -> None:
        block = f'<{name} xmlns="{WSA}"><Address>{address}</Address></{name}>'
        old = written(HEARTBEAT).partition("<ReplyTo")[2].partition("</ReplyTo>")[0]
        assert read(HEARTBEAT, (f"<ReplyTo{old}</ReplyTo>", block)).deviations == ()

    def test_neither_need_stand_there(self) -> None:
        old = written(HEARTBEAT).partition("<ReplyTo")[2].partition("</ReplyTo>")[0]
        assert read(HEARTBEAT, (f"<ReplyTo{old}</ReplyTo>", "")).deviations == ()

    @pytest.mark.parametrize("name", ["ReplyTo", "FaultTo"])
    @pytest.mark.parametrize("address", ["https://elsewhere.example/", "", "anonymous", ANONYMOUS.upper()])
    def test_any_other_address_is_refused(self, name: str, address: str) -> None:
        block = f'<{name} xmlns="{WSA}"><Address>{address}</Address></{name}>'
        old = written(HEARTBEAT).partition("<ReplyTo")[2].partition("</ReplyTo>")[0]
        error = fault(HEARTBEAT, (f"<ReplyTo{old}</ReplyTo>", block))
        assert (error.sender, error.subcode) == (True, "OnlyAnonymousAddressSupported")

    def test_in_an_answer_it_is_ignored_with_a_deviation(self) -> None:
        """Nobody answers an answer; refusing it would lose what it grants."""
        reply = '<ReplyTo xmlns="http://www.w3.org/2005/08/addressing"><Address>http://dso.example</Address></ReplyTo>'
        envelope = read(GRANT, ("</soap:Header>", f"{reply}</soap:Header>"))
        assert envelope.body == GRANT
        assert rows(envelope) == {28}

    def test_one_without_an_address_is_refused(self) -> None:
        error = fault(HEARTBEAT, ("</soap:Header>", f'<FaultTo xmlns="{WSA}"/></soap:Header>'))
        assert error.subcode == "MissingAddressInEPR"

    def test_anonymous_is_written(self) -> None:
        assert f"<Address>{ANONYMOUS}</Address></ReplyTo>" in written(HEARTBEAT)
        assert "ReplyTo" not in written(OK)
