"""Row 29: who speaks to whom. The certificate proves it, the ids must fit."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from gridroom.config import ConfigError
from gridroom.cso import settings as cso_settings
from gridroom.cso.stations import Register
from gridroom.dso import config as dso_config
from gridroom.oscp.errors import LocalError, RemoteError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.judge import Again, Delivered, judge
from gridroom.oscp.v10.letters import Peer, is_ean, letter
from gridroom.oscp.v10.messages import DSO_NAMESPACE, Fault
from gridroom.oscp.v10.profile import PeerProfile
from gridroom.oscp.v10.receiving import (
    HeaderError,
    Incoming,
    read_request,
)
from gridroom.oscp.v10.replying import (
    refuse_stranger,
    write_answer,
    write_fault,
)
from oscp_messages import ASK, HEARTBEAT, OK
from oscp_samples import ANSWER, HEADER, START, changed, fault, written

CSO = Peer("cso-inc", frozenset({"c1", "c2"}), "c1", "d1", frozenset({"d1", "d2"}), "https://cso.example/")
LONG = "x" * 64


def asked(sender: str = "c1", receiver: str = "d1", peer: Peer = CSO) -> Incoming:
    data = soap.write(replace(HEADER, sender_id=sender, receiver_id=receiver), ASK)
    return read_request(peer, DSO_NAMESPACE, data, START)


def test_each_of_a_partys_ids_and_of_ours_will_do() -> None:
    for sender in ("c1", "c2"):
        for receiver in ("d1", "d2"):
            header = asked(sender, receiver).envelope.header
            assert (header.sender_id, header.receiver_id) == (sender, receiver)


@pytest.mark.parametrize(
    ("sender", "receiver", "place"),
    [("d1", "d1", "senderID"), ("C1", "d1", "senderID"), ("c1", "c1", "receiverID"), ("c1", "dso", "receiverID")],
)
def test_any_other_is_the_senders_fault(sender: str, receiver: str, place: str) -> None:
    with pytest.raises(HeaderError, match="is not an id of") as caught:
        asked(sender, receiver)
    assert caught.value.sender
    assert caught.value.path == f"Envelope/Header/Parties/{place}"
    reply = write_fault(caught.value, CSO, now=START)
    told = soap.read_reply(reply.data)
    assert isinstance(told, Fault)
    assert (reply.status, told.sender, told.relates_to) == (400, True, "id-1")
    assert f'<DateTime xmlns="{DSO_NAMESPACE}">' in reply.data.decode()


@pytest.mark.parametrize(("sender", "receiver"), [("d1", "d1"), ("cso", "d1"), ("c1", "c1")])
def test_in_an_answer_it_counts_as_none(sender: str, receiver: str) -> None:
    one = letter(CSO, ASK, now=START, message_id="id-1")
    good = soap.write(replace(ANSWER, sender_id="c2", receiver_id="d2"), OK)
    assert isinstance(judge(one, CSO, 200, good, START, 0.5), Delivered)
    bad = soap.write(replace(ANSWER, sender_id=sender, receiver_id=receiver), OK)
    assert isinstance(judge(one, CSO, 200, bad, START, 0.5), Again)


@pytest.mark.parametrize("new", ["", '<Parties xmlns="http://OSCP/CSP/2013/06/"/>'])
def test_missing_parties_are_the_senders_fault(new: str) -> None:
    text = written(HEARTBEAT)
    start, end = text.index("<Parties"), text.index("</Parties>") + len("</Parties>")
    assert fault(HEARTBEAT, (text[start:end], new)).path.startswith("Envelope/Header/Parties")


@pytest.mark.parametrize("name", ["senderID", "receiverID"])
def test_an_id_has_1_to_64_characters(name: str) -> None:
    old = {"senderID": "dso", "receiverID": "cso"}[name]
    for text in ("", " ", "x" * 65):
        assert fault(HEARTBEAT, (f">{old}<", f">{text}<")).path.endswith(name)
    assert fault(HEARTBEAT, (f"<{name}>{old}</{name}>", "")).path.endswith(name)
    soap.read(changed(HEARTBEAT, (f">{old}<", f">{LONG}<")))
    field = {"senderID": "sender_id", "receiverID": "receiver_id"}[name]
    with pytest.raises(LocalError, match="64"):
        soap.write(replace(HEADER, **{field: LONG + "x"}), HEARTBEAT)  # type: ignore[arg-type]


def test_outer_white_space_is_no_part_of_an_id() -> None:
    assert soap.read(changed(HEARTBEAT, (">dso<", ">\n dso <"))).header.sender_id == "dso"


def test_ids_are_written_as_configured_and_swapped_in_answers() -> None:
    header = soap.read(letter(CSO, HEARTBEAT, now=START, message_id="m").data).header
    assert (header.sender_id, header.receiver_id) == ("d1", "c1")
    answer = soap.read(write_answer(asked("c2", "d2"), OK, now=START, message_id="a")).header
    assert (answer.sender_id, answer.receiver_id) == ("d2", "c2")


class TestEan:
    CODE = "8712423014022"

    def test_check_digits(self) -> None:
        assert is_ean(self.CODE)
        wrong = [self.CODE[:-1] + digit for digit in "013456789"]
        assert not any(
            map(is_ean, [*wrong, "8714223014022", self.CODE[:-1], self.CODE + "0", "٨٧١٢٤٢٣٠١٤٠٢٢", "x" * 13])
        )

    def test_they_are_looked_at_only_for_parties_configured_so(self) -> None:
        wrong = frozenset({"8712423014023"})
        assert Peer("x", wrong, "8712423014023", "d", frozenset({"d"})).ids == wrong
        with pytest.raises(LocalError, match="check digit"):
            Peer("x", wrong, "8712423014023", "d", frozenset({"d"}), ean=True)
        with pytest.raises(LocalError, match="check digit"):
            Peer("x", frozenset({self.CODE}), "8712423014023", "d", frozenset({"d"}), ean=True)
        assert Peer("x", frozenset({self.CODE}), self.CODE, "d", frozenset({"d"}), ean=True).ean


class TestStrangers:
    """A certificate of the authority, but no party that we work with."""

    @pytest.mark.parametrize("soap_version", ["1.1", "1.2"])
    def test_they_get_a_sender_fault_in_their_soap_version_and_their_id_named(self, soap_version: str) -> None:
        data = written(ASK, PeerProfile(soap=soap_version)).encode()  # type: ignore[arg-type]
        reply = refuse_stranger("nobody", data, now=START, service=DSO_NAMESPACE)
        told = soap.read_reply(reply.data)
        assert isinstance(told, Fault)
        assert (told.sender, told.relates_to) == (True, "id-1")
        assert "nobody is no party that we work with" in told.reason
        assert (reply.status, reply.content_type.partition(";")[0]) == {
            "1.1": (500, "text/xml"),
            "1.2": (400, "application/soap+xml"),
        }[soap_version]

    @pytest.mark.parametrize("data", [b"", b"<nonsense", written(ASK).replace("<senderID>", "<x>").encode()])
    def test_whatever_they_send(self, data: bytes) -> None:
        told = soap.read_reply(refuse_stranger("nobody", data, now=START, service=DSO_NAMESPACE).data)
        assert isinstance(told, Fault)
        assert told.sender

    def test_a_broken_message_of_theirs_is_named_too(self) -> None:
        data = changed(ASK, ("<receiverID>cso</receiverID>", ""))
        with pytest.raises(RemoteError):
            soap.read(data)
        assert soap.read_reply(refuse_stranger("x", data, now=START, service=DSO_NAMESPACE).data).relates_to == "id-1"  # type: ignore[union-attr]


class TestEanInTheConfiguration:
    """A slip of the pen in `dso.toml` or `cso.toml` is found when it is read."""

    GOOD, SLIP = "8712423014022", "8712432014022"

    @pytest.mark.parametrize("ean", [True, False])
    def test_the_dsos(self, tmp_path: Path, ean: bool) -> None:
        for name, refused in ((self.GOOD, False), (self.SLIP, ean)):
            file = tmp_path / "dso.toml"
            file.write_text(
                'party = "dso"\nids = ["dso"]\n[tls]\ncertificate = "a"\nkey = "b"\nca = "c"\n'
                f'[[peer]]\nparty = "cso"\nurl = "https://x"\nids = ["{name}"]\nean = {str(ean).lower()}\n'
            )
            with pytest.raises(ConfigError, match=self.SLIP) if refused else nullcontext():
                dso_config.read(file).peers()

    @pytest.mark.parametrize("ean", [True, False])
    def test_the_csos(self, tmp_path: Path, ean: bool) -> None:
        for name, refused in ((self.GOOD, False), (self.SLIP, ean)):
            (tmp_path / "cso.toml").write_text(
                'party = "cso"\nid = "cso"\n'
                f'[[dso]]\nparty = "dso"\nid = "{name}"\nurl = "https://x"\nean = {str(ean).lower()}\n'
            )
            with pytest.raises(ConfigError, match=self.SLIP) if refused else nullcontext():
                cso_settings.market(cso_settings.load(tmp_path), Register({}))
