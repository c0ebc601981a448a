"""Reading and writing Result. Source: OSCP 1.0 section 3.2.8; decisions 7 to 10."""

from gridroom import xml
from gridroom.oscp.errors import LocalError
from gridroom.oscp.v10 import values
from gridroom.oscp.v10.messages import Detail, Level, Result, ResultType
from gridroom.oscp.v10.profile import PeerProfile
from gridroom.oscp.v10.tree import Tree, one, optional

PROCESSED = "MESSAGE_PROCESSED"
"""Code of the examples; longer than the 15 characters that section 3.2.8 allows, and the only such one we write."""

LONGEST_CODE = 15
"""Longest Code that we write, but for `PROCESSED`. [characters]"""

LONGEST_MESSAGE = 254
"""Longest Message. [characters]"""

LONGEST_FOREIGN_CODE = 64
"""Longest Code that is read. [characters]"""


def read_result(tree: Tree, element: xml.Element) -> Result:
    """A Result in any spelling; an unknown Type is ERROR, never success.

    Raises:
        RemoteError: Type is missing or stands twice.
    """
    children = tree.children(element)
    type_element = one(children, "Type", element)
    word = xml.text_of(type_element)
    result_type = values.read_result_type(word)
    if result_type is None:
        tree.note(7, type_element, f"unknown result type {word[:40]!r} read as ERROR")
        result_type = ResultType.ERROR
    elif word != result_type:
        tree.note(7 if result_type is ResultType.SUCCESS else 8, type_element, f"{word[:40]} read as {result_type}")
    details: list[Detail] = []
    for holder in children.get("Details", []):
        inside = tree.children(holder)
        if "Code" in inside:
            tree.note(10, holder, "Details without inner Detail")
            details.append(_read_detail(tree, holder, inside))
        details.extend(_read_detail(tree, detail, tree.children(detail)) for detail in inside.get("Detail", []))
    if not details:
        tree.note(10, element, "no Detail")
    return Result(result_type, tuple(details))


def _read_detail(tree: Tree, element: xml.Element, children: dict[str, list[xml.Element]]) -> Detail:
    code, message, level_word = (_word(children, name) for name in ("Code", "Message", "Level"))
    if not code:
        tree.note(10, element, "no Code")
    if len(code) > LONGEST_CODE and code != PROCESSED:
        tree.note(10, element, f"a Code of more than {LONGEST_CODE} characters")
    if len(code) > LONGEST_FOREIGN_CODE:
        tree.note(10, element, f"a Code cut to {LONGEST_FOREIGN_CODE} characters")
        code = code[:LONGEST_FOREIGN_CODE]
    if not message:
        tree.note(10, element, "no Message")
    if len(message) > LONGEST_MESSAGE:
        tree.note(10, element, f"a Message cut to {LONGEST_MESSAGE} characters")
        message = message[:LONGEST_MESSAGE]
    level = Level.__members__.get(level_word.upper())
    if level is None:
        tree.note(10, element, f"unknown Level {level_word[:20]!r} read as INFO")
    return Detail(code, message, level or Level.INFO)


def _word(children: dict[str, list[xml.Element]], name: str) -> str:
    element = optional(children, name)
    return "" if element is None else xml.text_of(element)


def not_offered(result: Result) -> bool:
    """Whether it says that the other side does not offer this at all: do not ask again until the operator says so.

    NOT ALLOWED alone means "not now". Source: OSCP 1.0 sections 3.2.4.2 and 3.2.5.2; decision 9.

    >>> not_offered(Result(ResultType.NOT_IMPLEMENTED)), not_offered(Result(ResultType.NOT_ALLOWED))
    (True, False)
    """
    if result.type is ResultType.SUCCESS:
        return False
    words = (result.type, *(detail.code for detail in result.details))
    return any(values.read_result_type(word) is ResultType.NOT_IMPLEMENTED for word in words)


def declined(operation: str) -> Result:
    """The answer of who does not offer an operation: for RequestAdjustedCapacity the Type that its section names.

    >>> str(declined("GetCapacityForecast").type), str(declined("RequestAdjustedCapacity").type)
    ('NOT IMPLEMENTED', 'NOT ALLOWED')

    Source: OSCP 1.0 sections 3.2.4.2 and 3.2.5.2; decision 9.
    """
    kind = ResultType.NOT_ALLOWED if operation == "RequestAdjustedCapacity" else ResultType.NOT_IMPLEMENTED
    return Result(kind, (Detail("NOT_IMPLEMENTED", f"{operation} is not offered here.", Level.ERROR),))


def write_result(result: Result, profile: PeerProfile) -> str:
    """A Result as it stands in an answer; one without details gets the plainest.

    Raises:
        LocalError: A Code that is empty, too long, or cannot be written.
    """
    details = "".join(_write_detail(detail, profile) for detail in result.details or (_plainest(result.type),))
    return f"<Result><Type>{result.type}</Type><Details>{details}</Details></Result>"


def _plainest(result_type: ResultType) -> Detail:
    if result_type is ResultType.SUCCESS:
        return Result.success().details[0]
    return Detail(result_type.replace(" ", "_"), f"{str(result_type).capitalize()}.", Level.ERROR)


def _write_detail(detail: Detail, profile: PeerProfile) -> str:
    code = profile.success_code if detail.code == PROCESSED else detail.code
    if not code.strip(xml.SPACE) or code != code.strip(xml.SPACE):
        raise LocalError(f"Code {code!r}: a Detail needs a code without outer white space")
    if len(code) > LONGEST_CODE and code != PROCESSED:
        raise LocalError(f"Code {code}: at most {LONGEST_CODE} characters")
    try:
        code = xml.escape(code)
    except ValueError as error:
        raise LocalError(f"Code {code!r}: {error}") from error
    words = xml.sayable(detail.message).strip(xml.SPACE) or detail.code
    message = xml.escape(words[:LONGEST_MESSAGE].strip(xml.SPACE))
    description = f"<Description>{code}</Description>" if profile.description else ""
    return f"<Detail><Code>{code}</Code><Level>{detail.level}</Level><Message>{message}</Message>{description}</Detail>"
