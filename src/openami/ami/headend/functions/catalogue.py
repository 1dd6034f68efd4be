"""All functions by name, the floor that they fill, and the page that shows both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openami.ami.headend.functions.acting import ACTING
from openami.ami.headend.functions.channels import CHANNEL_FUNCTIONS
from openami.ami.headend.functions.firmware import FIRMWARE
from openami.ami.headend.functions.house import HOUSE
from openami.ami.headend.functions.keys import KEYS
from openami.ami.headend.functions.model import BadParametersError, Found, Function, HopelessError, Parameters
from openami.ami.headend.functions.payment import PAYMENT
from openami.ami.headend.functions.reading import READING
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from openami.ami.headend.dialogues import Dialogue

BUNDLE_MAX: Final = 50


class UnknownFunctionError(HopelessError):
    """No function has this name."""


async def bundle(dialogue: Dialogue, wanted: Parameters) -> Found:
    """Several functions in one session; the fault of one is told in its place and stops none of the others."""
    answers: list[Found] = []
    for action in wanted["actions"]:
        name = str(action.get("function"))
        try:
            function = function_of(name)
            parameters = action.get("parameters") or {}
            function.check(parameters)
            if function.run is None or function.name == "bundle" or "content" in parameters:
                raise BadParametersError(f"{name} cannot be part of a bundle.", hint="Order it by itself.")
            answers.append({"function": name, "found": await function.run(dialogue, parameters)})
        except OpenAmiError as error:
            answers.append({"function": name, "error": str(error)})
    return {"answers": answers}


FUNCTIONS: Final = {
    each.name: each
    for each in (
        *READING,
        *ACTING,
        *CHANNEL_FUNCTIONS,
        *PAYMENT,
        *FIRMWARE,
        *KEYS,
        *HOUSE,
        Function("bundle", "Carries out several functions in one session.", bundle, ("Bundle",), ("actions",)),
    )
}
ELSEWHERE: Final = {
    "AddDevice": "`POST /api/shipment`, then create MeterConfig over the field seam",
    "SendNotification": "the seam's outbox: replies and events are sent and repeated by themselves",
}
"""Operations of the floor that are no order to a meter."""


def function_of(name: str) -> Function:
    """The function of a name.

    Raises:
        UnknownFunctionError: there is none.
    """
    try:
        return FUNCTIONS[name]
    except KeyError:
        close = [known for known in FUNCTIONS if known.split("_")[-1] == name.rsplit("_", maxsplit=1)[-1]]
        hint = f"Did you mean {', '.join(close[:5])}?" if close else "See docs/reference/head-end-functions.md."
        raise UnknownFunctionError(f"There is no function {name!r}.", hint=hint) from None


def page() -> str:
    """The reference page."""
    lines = [
        "# Functions of the head-end",
        "",
        "Made from the table that carries them out (`openami.ami.headend.functions`); a test compares both.",
        "Each is ordered by name: over the field seam as `create EndDeviceControls` with",
        "`EndDeviceAction/command` = the name, a blank, the parameters as JSON; by a person with `POST /api/orders`",
        '(`{"function", "serials", "parameters", "not_before", "deadline"}`). An order may be immediate, be meant for',
        "later, and be cancelled until it is sent. Its outcome stands at `/api/orders/ID`, and is told as an event.",
        "",
        "| function | what it does | parameters | where | objects | event |",
        "|---|---|---|---|---|---|",
    ]
    for each in sorted(FUNCTIONS.values(), key=lambda function: function.name):
        parameters = ", ".join([*each.wanted, *(f"[{name}]" for name in each.optional)])
        objects = ", ".join(each.objects[:3])
        lines.append(f"| `{each.name}` | {each.says} | {parameters} | {each.where} | {objects} | {each.event} |")
    lines += ["", "Beside them: `disconnect` and `connect` (proven by the breaker), readings on demand, cancel.", ""]
    lines += ["## The operations of other head-ends", "", "| operation | here |", "|---|---|"]
    filled = {floor: f"`{each.name}`" for each in FUNCTIONS.values() for floor in each.floor} | ELSEWHERE
    lines += [f"| {floor} | {filled[floor]} |" for floor in sorted(filled)]
    return "\n".join(lines) + "\n"
