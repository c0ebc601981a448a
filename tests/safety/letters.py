"""Random messages in any spelling that docs/deviations.md reads, written without our writer."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from safety.nodes import CSP, DSO, ENC, FOREIGN, SOAP, WSA, XSI, Node

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
CABLES = ("C1", "C2")
ID = "11111111-2222-4333-8444-555555555555"


def leaf(namespace: str, name: str, text: str, **attributes: str) -> Node:
    return Node(name, namespace, text, [], {("", key): value for key, value in attributes.items()})


def envelope(
    namespace: str,
    body: Node,
    *,
    sender: str,
    receiver: str,
    made: datetime = NOW,
    message_id: str = ID,
    relates_to: str = "",
) -> Node:
    """An envelope around a body, with all headers."""
    operation = body.name.removesuffix("Request")
    parties = Node(
        "Parties", namespace, "", [leaf(namespace, "senderID", sender), leaf(namespace, "receiverID", receiver)]
    )
    blocks = [
        leaf(WSA, "Action", f"/{operation}"),
        leaf(WSA, "MessageID", message_id),
        *([leaf(WSA, "RelatesTo", relates_to)] if relates_to else []),
        leaf(WSA, "To", "https://there"),
        parties,
        leaf(namespace, "Priority", "0"),
        leaf(namespace, "DateTime", made.isoformat(timespec="milliseconds")[:23] + "Z"),
    ]
    return Node("Envelope", SOAP, "", [Node("Header", SOAP, "", blocks), Node("Body", SOAP, "", [body])])


def forecast(chance: Random, made: datetime = NOW) -> Node:
    """An envelope with forecasts of up to three containers."""
    body = Node(chance.choice(["UpdateCableCapacityForecastRequest"] * 4 + ["UpdateCableCapacityForecast"]), CSP)
    for cable in _cables(chance):
        start = NOW + chance.choice([0, 0, 0, -1, 1, 4]) * QUARTER
        times = _times(chance, start, chance.choice([1, 2, 3, 12]))
        blocks = [
            _block(chance, CSP, "ForecastedBlock", "Capacity", one, _capacities(chance), chance.random() < 0.7)
            for one in times
        ]
        body.children.append(_container(chance, CSP, "Forecast", cable, blocks))
    return _spelled(chance, envelope(CSP, body, sender="dso", receiver="cso", made=made))


def request(chance: Random) -> Node:
    """An envelope that asks for more and gives back."""
    body = Node("RequestAdjustedCapacityRequest", DSO)
    for cable in _cables(chance):
        times = _times(chance, NOW, chance.choice([1, 3]))
        blocks = [
            _block(chance, DSO, "CapacityBlock", "Capacity", one, _capacities(chance, signed=True), False)
            for one in times
        ]
        body.children.append(_container(chance, DSO, "Adjustment", cable, blocks))
    return _spelled(chance, envelope(DSO, body, sender="cso", receiver="dso"))


def answer(chance: Random, asked: Sequence[tuple[datetime, datetime]]) -> Node:
    """An answer that grants something of what was asked for C1, and perhaps more."""
    body = Node("RequestAdjustedCapacityResponse", DSO)
    for cable in _cables(chance):
        blocks = [
            _block(chance, DSO, "CapacityBlock", "Capacity", one, _capacities(chance, signed=True), False)
            for one in asked
            if chance.random() < 0.9
        ]
        if blocks:
            body.children.append(_container(chance, DSO, "Adjustment", cable, blocks))
    words = [("SUCCESS", "MESSAGE_PROCESSED")] * 3 + [("SUCCES", "PROCESSED"), ("FAILED", "NO_CAPACITY")] * 2
    words += [("FAILED", "OTHER"), ("NOT ALLOWED", "NO_CAPACITY"), ("ERROR", "NO_CAPACITY"), ("FINE", "NO_CAPACITY")]
    kind, code = chance.choice(words)
    detail = Node("Detail", DSO, "", [leaf(DSO, "Code", code), leaf(DSO, "Level", "INFO"), leaf(DSO, "Message", "m")])
    result = Node("Result", DSO, "", [leaf(DSO, "Type", kind), Node("Details", DSO, "", [detail])])
    body.children.insert(chance.randint(0, len(body.children)), result)
    return _spelled(chance, envelope(DSO, body, sender="dso", receiver="cso", message_id="answer", relates_to=ID))


def usage(chance: Random) -> Node:
    """An envelope that reports use in any of the units."""
    body = Node("UpdateAggregatedUsageRequest", DSO)
    for cable in _cables(chance):
        times = _times(chance, NOW - 8 * QUARTER, 4)
        blocks = [_block(chance, DSO, "UsageBlock", "Usage", one, _used(chance), False) for one in times]
        body.children.append(_container(chance, DSO, "Usage", cable, blocks))
    return _spelled(chance, envelope(DSO, body, sender="cso", receiver="dso"))


def _cables(chance: Random) -> list[str]:
    return chance.choice([["C1"], ["C1"], ["C1"], ["C1"], ["C1", "C2"], ["C1", "C1"], ["C2", "C1"]])


def _container(chance: Random, namespace: str, name: str, cable: str, blocks: list[Node]) -> Node:
    cable_id = leaf(namespace, "CableId", chance.choice([cable, cable, f" {cable}\n"]))
    holder = cable_id if chance.random() < 0.1 else Node("Cable", namespace, "", [cable_id])
    return Node(name, namespace, "", [holder, *blocks])


def _times(chance: Random, start: datetime, n: int) -> list[tuple[datetime, datetime]]:
    """Blocks one after the other, some with gaps or seams of a second, some twice."""
    times: list[tuple[datetime, datetime]] = []
    at = start
    for _ in range(chance.randint(1, n)):
        end = at + chance.choice([1, 1, 1, 2, 8]) * QUARTER
        times.append((at, end))
        seconds = chance.choice([0] * 12 + [1, -1, 0.5, -0.5, 900, 2, -2])
        at = end + timedelta(seconds=seconds)
    if chance.random() < 0.1:
        times.append(chance.choice(times))
    if chance.random() < 0.1:
        chance.shuffle(times)
    return times


def _amount(chance: Random, signed: bool) -> str:
    cents = chance.choice([chance.randint(0, 2000), chance.randint(0, 4000), chance.randint(3000, 12000), 0])
    sign = "-" if chance.random() < (0.4 if signed else 0.04) else ""
    text = f"{cents // 100}.{cents % 100:02d}"
    return sign + chance.choice([text, text, text, f"{cents // 100}", f"0{text}", f"{text}9", f"{text}0000"])


def _capacities(chance: Random, *, signed: bool = False) -> list[tuple[str, dict[str, str]]]:
    """Text and attributes of one to three values."""
    how = chance.choice(["one", "one", "one", "phases", "phases", "some", "several", "power", "split"])
    unit = chance.choice([{}, {"Unit": "A"}, {"unit": "Amp"}, {"unitOfMeasure": "amps"}])
    if how == "phases":
        return [(_amount(chance, signed), {**unit, "Phase": str(phase)}) for phase in (1, 2, 3)]
    if how == "some":
        phases = chance.sample((1, 2, 3), chance.randint(1, 2))
        return [(_amount(chance, signed), {**unit, "Phase": str(phase)}) for phase in phases]
    if how == "several":
        return [(_amount(chance, signed), dict(unit)) for _ in range(chance.randint(2, 3))]
    if how == "power":
        return [_power(chance, signed, 3)]
    if how == "split":
        powers = [_power(chance, signed, 1) for _ in range(3)]
        return [(text, {**unit, "Phase": str(phase)}) for phase, (text, unit) in enumerate(powers, 1)]
    return [(_amount(chance, signed), unit)]


def _power(chance: Random, signed: bool, phases: int) -> tuple[str, dict[str, str]]:
    sign = "-" if signed and chance.random() < 0.4 else ""
    kilowatt = chance.uniform(0, 9 * phases)
    if chance.random() < 0.5:
        return f"{sign}{kilowatt:.3f}", {"Unit": chance.choice(["kW", "kw"])}
    return f"{sign}{kilowatt * 1000:.1f}", {"Unit": "W"}


def _used(chance: Random) -> list[tuple[str, dict[str, str]]]:
    found = []
    for unit in chance.sample(["A", "Wh", "kWh", "W", "kW"], chance.randint(1, 2)):
        scale = {"A": 32, "Wh": 1800, "kWh": 2, "W": 7000, "kW": 7}[unit]
        phases = (None,) if chance.random() < 0.15 else chance.choice([(1, 2, 3), (1, 2, 3), (2,), (1, 3)])
        for phase in phases:
            value = chance.uniform(-0.1, 1) * scale
            found.append((f"{value:.3f}", {"Unit": unit} | ({} if phase is None else {"Phase": str(phase)})))
    return found


def _block(
    chance: Random,
    namespace: str,
    name: str,
    amount: str,
    times: tuple[datetime, datetime],
    values: list[tuple[str, dict[str, str]]],
    spare: bool,
) -> Node:
    children = [leaf(namespace, amount, text, **attributes) for text, attributes in values]
    children.append(leaf(namespace, "StartTime", _time(chance, times[0])))
    end = times[1] - timedelta(seconds=1) if chance.random() < 0.3 and times[1].second == 0 else times[1]
    children.append(leaf(namespace, "EndTime", _time(chance, end)))
    if spare:
        children.append(leaf(namespace, "RemainingCapacity", "1.00"))
    if chance.random() < 0.1:
        chance.shuffle(children)
    return Node(name, namespace, "", children)


def _time(chance: Random, moment: datetime) -> str:
    plain = moment.replace(tzinfo=None).isoformat()
    match chance.randrange(20):
        case 0:
            hours = chance.choice([-2, 2, 5])
            there = (moment + timedelta(hours=hours)).replace(tzinfo=None).isoformat()
            return f"{there}{'+' if hours > 0 else '-'}{abs(hours):02d}:00"
        case 1:
            return f"{plain}{'' if moment.microsecond else '.0000000'}Z"
        case 2:
            return plain
        case _:
            return plain + "Z"


def _spelled(chance: Random, root: Node) -> Node:
    """The same with names in other cases, and with what row 35 ignores."""
    body = root.children[-1]
    if chance.random() < 0.2:
        for node in body.walk():
            if node is not body and chance.random() < 0.3:
                node.name = chance.choice([node.name.upper(), node.name.lower(), node.name])
    if chance.random() < 0.2:
        holder = chance.choice([node for node in body.walk() if node.children and node is not body])
        holder.children.insert(0, Node("Extension", chance.choice([FOREIGN, CSP]), "7"))
    if chance.random() < 0.1:
        node = chance.choice(list(body.walk()))
        node.attributes[XSI, "type"] = "any"
    if chance.random() < 0.1:
        refer(chance, body)
    return root


def refer(chance: Random, body: Node) -> None:
    """One element becomes a reference to another one of the same kind (row 33)."""
    kinds = ["Capacity", "Usage", "StartTime", "ForecastedBlock", "CapacityBlock", "UsageBlock"]
    found = [node for node in body.named(*kinds) if not node.attributes.keys() & {(ENC, "id"), (ENC, "ref")}]
    if len(found) < 2:
        return
    target = chance.choice(found)
    same = [node for node in found if node.name == target.name and node is not target and node not in target.children]
    same = [node for node in same if not any(inner is target for inner in node.walk())]
    if not same:
        return
    pointing = chance.choice(same)
    mark, point = chance.choice([((ENC, "id"), (ENC, "ref")), (("", "id"), ("", "href"))])
    target.attributes[mark] = "r1"
    kept = {key: value for key, value in pointing.attributes.items() if chance.random() < 0.3}
    pointing.text, pointing.children, pointing.attributes = "", [], kept | {point: "r1" if point[0] else "#r1"}
