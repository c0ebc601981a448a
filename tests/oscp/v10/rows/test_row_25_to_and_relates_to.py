"""Row 25: answers name their question, and go to nobody in particular."""

from dataclasses import replace

import pytest

from gridroom.oscp.errors import AnswerError, LocalError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.judge import Again, Delivered, judge
from gridroom.oscp.v10.letters import Peer, letter
from gridroom.oscp.v10.messages import Message, Request
from gridroom.oscp.v10.profile import PeerProfile
from oscp_messages import ANSWERS, EVERY, HEARTBEAT, OK, REQUESTS, named
from oscp_samples import ANSWER, HEADER, START, changed, read, rows, written

DSO = Peer("cso", frozenset({"cso"}), "cso", "dso", frozenset({"dso"}), "https://cso.example/oscp")
RELATES = '<RelatesTo xmlns="http://www.w3.org/2005/08/addressing">id-1</RelatesTo>'
ANONYMOUS = "http://www.w3.org/2005/08/addressing/anonymous"
PAIRS = [(one, other) for one, other in zip(REQUESTS, ANSWERS, strict=True)]


def to(message: Message) -> str:
    text = written(message)
    return text[text.index("<To") : text.index("</To>") + len("</To>")]


class TestTo:
    @pytest.mark.parametrize("message", EVERY, ids=named)
    @pytest.mark.parametrize("new", ["", "<To {}/>", "<To {}> \n </To>"])
    def test_absent_or_empty_it_is_tolerated_everywhere(self, message: Message, new: str) -> None:
        envelope = read(message, (to(message), new.format('xmlns="http://www.w3.org/2005/08/addressing"')))
        assert (envelope.body, envelope.header.to, rows(envelope)) == (message, "", {25})

    def test_whatever_it_says_is_kept(self) -> None:
        assert read(HEARTBEAT).header.to == "https://cso.example/oscp"

    @pytest.mark.parametrize(
        "url", ["HTTPS://Peer.Example/a?b=1&c=<d>", "https://x.example:443/oscp/", "http://192.0.2.1/S.svc", "urn:x"]
    )
    @pytest.mark.parametrize("message", REQUESTS, ids=named)
    def test_a_request_goes_to_the_profiles_url_character_for_character(self, message: Message, url: str) -> None:
        assert soap.read(written(message, PeerProfile(to_url=url)).encode()).header.to == url
        peer = replace(DSO, profile=PeerProfile(to_url=url))
        assert soap.read(letter(peer, HEARTBEAT, now=START, message_id="m").data).header.to == url

    def test_without_one_it_goes_to_where_we_post(self) -> None:
        assert soap.read(letter(DSO, HEARTBEAT, now=START, message_id="m").data).header.to == DSO.url

    @pytest.mark.parametrize("message", ANSWERS, ids=named)
    def test_an_answer_goes_to_anonymous(self, message: Message) -> None:
        assert f">{ANONYMOUS}</To>" in written(message, PeerProfile(to_url="https://elsewhere.example/"))


class TestRelatesTo:
    @pytest.mark.parametrize("message", ANSWERS, ids=named)
    def test_it_is_always_written(self, message: Message) -> None:
        assert RELATES in written(message)
        with pytest.raises(LocalError, match="relates to"):
            soap.write(replace(ANSWER, relates_to=""), message)

    @pytest.mark.parametrize(("question", "message"), PAIRS, ids=lambda one: named(one))
    def test_an_answer_to_another_question_is_refused(self, question: Request, message: Message) -> None:
        one = letter(DSO, question, now=START, message_id="id-1")
        assert isinstance(judge(one, DSO, 200, changed(message), START, 0.5), Delivered)
        other = judge(one, DSO, 200, changed(message, (RELATES, RELATES.replace("id-1", "id-7"))), START, 0.5)
        assert isinstance(other, Again)
        assert "answers id-7, not our id-1" in other.reason

    @pytest.mark.parametrize("new", ["", RELATES.replace("id-1", " ")])
    def test_absent_it_is_a_deviation(self, new: str) -> None:
        one = letter(DSO, REQUESTS[2], now=START, message_id="id-1")  # type: ignore[arg-type]
        verdict = judge(one, DSO, 200, changed(OK, (RELATES, new)), START, 0.5)
        assert isinstance(verdict, Delivered)
        assert rows(verdict.envelope) == {25}

    def test_another_kind_of_relation_is_none_of_ours(self) -> None:
        kind = RELATES.replace(">id-1", ' RelationshipType="urn:x">id-9')
        assert read(OK, (RELATES, kind + RELATES)).header.relates_to == "id-1"

    def test_two_of_the_same_kind_are_refused(self) -> None:
        with pytest.raises(AnswerError, match="two requests") as caught:
            soap.read_reply(changed(OK, (RELATES, RELATES + RELATES.replace("id-1", "id-2"))))
        assert caught.value.subcode == "InvalidCardinality"

    def test_a_question_of_ours_names_none(self) -> None:
        assert "RelatesTo" not in written(HEARTBEAT)
        assert HEADER.relates_to == ""
