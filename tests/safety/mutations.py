"""Damage to a message: to its tree, and to its bytes."""

from collections.abc import Callable
from random import Random

from safety.letters import refer
from safety.nodes import CSP, DSO, ENC, FOREIGN, XSI, Node

NUMBERS = [
    *("0", "0.00", "-5", "-0", "+7.5", "1e1", "1E2", "NaN", "INF", "-INF", "1,5", "2 4", "", " ", ".5", "5.", "0x10"),
    *("٢٤", "２４", "24.00.1", "1_000", "99999999", "24A", "−3", "1" * 101, "24\u00a0", "\u200b5", "-0.004", "+-3"),
]
TIMES = [
    *("2026-03-01T12:00:00Z", "2026-03-01T12:14:59Z", "2026-03-01T24:00:00Z", "2026-03-01T14:00:00+02:00"),
    *("2026-03-01T12:14:59.999Z", "2026-03-01T12:15:00.5Z", "2026-03-01T12:15:01Z", "2026-03-01T12:00:00"),
    *("2026-03-01T00:00:00-14:00", "2026-03-01 12:00:00Z", "2026-03-01T12:00Z", "2026-03-01T12:00:60Z", "now", ""),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "2026-02-30T00:00:00Z", "2026-03-01T25:00:00Z"),
    *("20260301T120000Z", "2026-03-01T12:00:00z", "2026-W09-7T12:00:00Z", "-2026-03-01T12:00:00Z"),
]
UNITS = ["A", "a", "Amp", "W", "w", "kW", "KW", "mW", "MW", "kA", "Wh", "kWh", "V", "", " A ", "Ampere", "А"]
PHASES = ["1", "2", "3", "0", "4", "-1", " 2 ", "L1", "1.0", "", "１", "+1", "01", "all", "1 2"]
WORDS = [*("Capacity", "Unit", "Phase", "Forecast", "ForecastedBlock", "Cable", "CableId", "StartTime", "EndTime")]
WORDS += [*("Adjustment", "CapacityBlock", "Usage", "UsageBlock", "RemainingCapacity", "Value", "Extension", "Result")]
NAMESPACES = ["", CSP, DSO, FOREIGN]

INSERTED = [b"0", b"-", b"9", b".", b" ", b"<!---->", b'"', b">", b"\x00", b"&#48;"]

Change = Callable[[Random, Node], None]


def mutate(chance: Random, root: Node, times: int) -> Node:
    """A damaged copy of an envelope; only its body is touched, so that most of it is still read."""
    changed = root.copy()
    for _ in range(times):
        chance.choice(chance.choice([OF_TREE, OF_VALUES]))(chance, changed.children[-1])
    return changed


def shake(chance: Random, data: bytes, times: int) -> bytes:
    """Bytes flipped, cut, inserted, doubled."""
    found = bytearray(data)
    for _ in range(times):
        place = chance.randrange(len(found) + 1)
        length = chance.choice([1, 2, 5, 30, 200])
        match chance.randrange(5):
            case 0 if place < len(found):
                found[place] ^= 1 << chance.randrange(8)
            case 1:
                del found[place : place + length]
            case 2:
                found[place:place] = chance.choice(INSERTED)
            case 3:
                other = chance.randrange(len(found) + 1)
                found[other:other] = found[place : place + length]
            case _ if place < len(found):
                found[place] = chance.choice(b'0123456789-+.TZ<>/"= AKWk')
    return bytes(found)


def _any(chance: Random, body: Node) -> Node | None:
    found = [node for node in body.walk() if node is not body]
    return chance.choice(found) if found else None


def _one(chance: Random, body: Node, *names: str) -> Node | None:
    found = body.named(*names)
    return chance.choice(found) if found else _any(chance, body)


def _remove(chance: Random, body: Node) -> None:
    if (node := _any(chance, body)) and (parent := body.parent_of(node)):
        parent.children = [child for child in parent.children if child is not node]


def _double(chance: Random, body: Node) -> None:
    if (node := _any(chance, body)) and (parent := body.parent_of(node)):
        copy = node.copy()
        parent.children.insert(chance.randint(0, len(parent.children)), copy)
        for value in copy.named("Capacity", "Usage"):
            if chance.random() < 0.5 and not value.children:
                value.text = f"{chance.randint(0, 60)}.00"


def _move(chance: Random, body: Node) -> None:
    node, target = _any(chance, body), _any(chance, body)
    if node and target and not any(inner is target for inner in node.walk()):
        _take_out(body, node)
        target.children.insert(chance.randint(0, len(target.children)), node)


def _swap(chance: Random, body: Node) -> None:
    one, other = _any(chance, body), _any(chance, body)
    if one and other and one.name == other.name:
        one.text, other.text = other.text, one.text
        one.attributes, other.attributes = other.attributes, one.attributes
    elif one and len(one.children) > 1:
        chance.shuffle(one.children)


def _rename(chance: Random, body: Node) -> None:
    if node := _any(chance, body):
        node.name = chance.choice([node.name.lower(), node.name.upper(), node.name[:-1] or "x", chance.choice(WORDS)])


def _renamespace(chance: Random, body: Node) -> None:
    if node := _any(chance, body):
        namespace = chance.choice(NAMESPACES)
        for one in node.walk() if chance.random() < 0.5 else [node]:
            one.namespace = namespace


def _wrap(chance: Random, body: Node) -> None:
    if (node := _any(chance, body)) and (parent := body.parent_of(node)):
        wrapper = Node(chance.choice(WORDS), chance.choice(NAMESPACES), "", [node])
        parent.children = [wrapper if child is node else child for child in parent.children]


def _attribute(chance: Random, body: Node) -> None:
    node = _one(chance, body, "Capacity", "Usage")
    if node is None:
        return
    keys = [("", "Unit"), ("", "unit"), ("", "UnitOfMeasure"), ("", "unitofmeasure"), ("", "Phase"), ("", "phase")]
    keys += [
        ("", "Units"),
        ("", "Phases"),
        ("", "Fase"),
        (CSP, "Unit"),
        (FOREIGN, "Phase"),
        (XSI, "nil"),
        (XSI, "type"),
    ]
    key = chance.choice(keys)
    if node.attributes and chance.random() < 0.3:
        del node.attributes[chance.choice(list(node.attributes))]
    elif key[1].lower().startswith("unit"):
        node.attributes[key] = chance.choice(UNITS)
    elif key[1] == "nil":
        node.attributes[key] = chance.choice(["true", "1", "false", "0", "maybe"])
    else:
        node.attributes[key] = chance.choice(PHASES)


def _number(chance: Random, body: Node) -> None:
    if node := _one(chance, body, "Capacity", "Usage"):
        node.text = chance.choice(NUMBERS)


def _script(chance: Random, body: Node) -> None:
    """The same number, in digits of another script."""
    if node := _one(chance, body, "Capacity", "Usage"):
        zero = chance.choice("٠०０")
        node.text = "".join(chr(ord(zero) + int(one)) if one in "0123456789" else one for one in node.text)


def _nil(chance: Random, body: Node) -> None:
    """A number that is there, and said not to be."""
    if node := _one(chance, body, "Capacity", "Usage"):
        node.attributes[XSI, "nil"] = chance.choice(["true", "1", " true ", "maybe", "false"])


def _hide(chance: Random, body: Node) -> None:
    """A lower limit inside something unknown."""
    node = _one(chance, body, "ForecastedBlock", "CapacityBlock", "UsageBlock", "Capacity", "Forecast")
    if node and (parent := body.parent_of(node)):
        copy = node.copy()
        for value in copy.named("Capacity", "Usage"):
            value.text = "0.01"
        wrapper = Node("Extension", chance.choice(NAMESPACES), "", [copy])
        parent.children.insert(chance.randint(0, len(parent.children)), wrapper)


def _sign(chance: Random, body: Node) -> None:
    if node := _one(chance, body, "Capacity", "Usage"):
        node.text = node.text[1:] if node.text.startswith("-") else "-" + node.text


def _time(chance: Random, body: Node) -> None:
    if node := _one(chance, body, "StartTime", "EndTime"):
        node.text = chance.choice(TIMES)


def _zone(chance: Random, body: Node) -> None:
    for node in body.named("StartTime", "EndTime"):
        if chance.random() < 0.8:
            node.text = node.text.removesuffix("Z")


def _turn(chance: Random, body: Node) -> None:
    """StartTime and EndTime change places."""
    block = _one(chance, body, "ForecastedBlock", "CapacityBlock", "UsageBlock")
    for node in block.children if block else ():
        low = node.name.lower()
        node.name = {"starttime": "EndTime", "endtime": "StartTime"}.get(low, node.name)


def _inside(chance: Random, body: Node) -> None:
    """The number stands in a child, or beside one."""
    if node := _one(chance, body, "Capacity", "Usage"):
        name = chance.choice(["Value", "value", "Amount", "Value2"])
        node.children.append(Node(name, chance.choice(NAMESPACES), node.text))
        if chance.random() < 0.7:
            node.text = ""
        if chance.random() < 0.2:
            node.children.append(Node(name, node.namespace, "3"))


def _point(chance: Random, body: Node) -> None:
    refer(chance, body)


def _old_reference(chance: Random, body: Node) -> None:
    """References of SOAP 1.1, and broken ones."""
    if node := _one(chance, body, "Capacity", "Usage", "ForecastedBlock"):
        key = chance.choice([("", "href"), ("", "id"), (ENC, "ref"), (ENC, "id")])
        node.attributes[key] = chance.choice(["#r1", "r1", "nowhere"])
        if chance.random() < 0.5:
            node.text = ""


def _again(chance: Random, body: Node) -> None:
    """A container once more, with other values."""
    found = body.named("Forecast", "Adjustment", "Usage")
    found = [node for node in found if node.children]
    if not found:
        return
    node = chance.choice(found)
    copy = node.copy()
    for value in copy.named("Capacity", "Usage"):
        if not value.children:
            value.text = chance.choice([f"{chance.randint(0, 60)}.00", value.text, "x"])
    if parent := body.parent_of(node):
        parent.children.insert(chance.randint(0, len(parent.children)), copy)


def _cable(chance: Random, body: Node) -> None:
    if node := _one(chance, body, "CableId"):
        node.text = chance.choice(["C1", "C2", "C3", "\u00a0C1", "c1", "", "C1 C2", " C1 "])


def _take_out(body: Node, node: Node) -> None:
    if parent := body.parent_of(node):
        parent.children = [child for child in parent.children if child is not node]


def _phase(chance: Random, body: Node) -> None:
    """One of several phases under another name."""
    found = [node for node in body.named("Capacity", "Usage") if ("", "Phase") in node.attributes]
    if found:
        chance.choice(found).attributes["", "Phase"] = chance.choice(PHASES)


OF_TREE: list[Change] = [
    *(_remove, _double, _double, _move, _swap, _rename, _renamespace, _wrap, _hide, _turn, _inside, _point),
    *(_old_reference, _again, _again, _cable),
]
OF_VALUES: list[Change] = [*(_attribute, _attribute, _attribute, _number, _script, _nil, _sign, _time, _zone, _phase)]
