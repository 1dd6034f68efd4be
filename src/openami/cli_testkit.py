"""The command `testkit`: a fake SAP and a fake MDUS for integrators who test a system of theirs."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from openami.shared.clock import Clock
    from openami.testing.faults import Faults
    from openami.testing.processes import Field
    from openami.testing.report import Told

console = Console()
testkit = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="A fake SAP and a fake MDUS, to test a system of yours against: scripted processes, faults, a report.\n\n"
    "Testing an MDUS? Be its SAP: [bold]openami testkit sap --mdus URL[/].\n\n"
    "Testing an SAP or a back office? Be its MDUS: [bold]openami testkit mdus --office URL[/].\n\n"
    "[bold]openami testkit processes[/] lists what both can play.",
)

User = Annotated[str, typer.Option(help="User that we call with.")]
Password = Annotated[str, typer.Option(help="Its password.", envvar="OPENAMI_TESTKIT_PASSWORD", show_default=False)]
Listen = Annotated[str, typer.Option(help="Host and port on which the other side reaches us.")]
Played = Annotated[
    list[str] | None,
    typer.Option(
        help="Name of a process; may be repeated, played in this order; else all that need no setting of the MDUS."
    ),
]
FieldName = Annotated[
    str,
    typer.Option(
        help="Who plays the meters: `none`; `ask` (you, on this terminal); a URL (we are the AMS, IEC 61968-9); "
        "or a program that gets each step as its arguments."
    ),
]
FieldPassword = Annotated[
    str, typer.Option(help="Its password.", envvar="OPENAMI_TESTKIT_FIELD_PASSWORD", show_default=False)
]
FieldListen = Annotated[str, typer.Option(help="Host and port on which the MDUS reaches our AMS.")]
FaultKinds = Annotated[
    list[str] | None,
    typer.Option("--fault", help="What goes wrong on our side: late, duplicate, reordered, refused or malformed."),
]
Share = Annotated[float, typer.Option(help="Share of our messages that a fault strikes.", min=0, max=1)]
Seed = Annotated[int, typer.Option(help="The same seed makes the same faults.")]
LateS = Annotated[float, typer.Option(help="How long the fault `late` holds a message, in seconds.", min=0)]
Patience = Annotated[float, typer.Option(help="How long an answer may take, in seconds.", min=0)]
Junit = Annotated[Path | None, typer.Option(help="Write the outcomes as JUnit XML, for a pipeline.", dir_okay=False)]
ClockFile = Annotated[
    Path | None,
    typer.Option(
        "--clock",
        help="File `clock` of an OpenAMI under test that runs with OPENAMI_CLOCK=shared: days pass at once.",
        exists=True,
        dir_okay=False,
    ),
]


@testkit.command("processes")
def processes() -> None:
    """The processes that the fake SAP and the fake MDUS play."""
    from openami.testing.roles import ROLES  # noqa: PLC0415 - other commands start faster
    from openami.testing.scripts import PROCESSES  # noqa: PLC0415

    table = Table("process", "name", "operations", "MDUS setting", title="testkit sap plays", title_justify="left")
    for script in sorted(PROCESSES.values(), key=lambda one: (int(one.number), one.name)):
        table.add_row(script.number, script.name, str(len(script.operations)), script.needs)
    console.print(table)
    table = Table("process", "name", "what to do in SAP", title="testkit mdus plays", title_justify="left")
    for role in sorted(ROLES.values(), key=lambda one: (int(one.number), one.name)):
        table.add_row(role.number, role.name, role.wants)
    console.print(table)


@testkit.command("sap")
def sap(  # noqa: PLR0917 - each is an option
    mdus: Annotated[str, typer.Option(help="URL of the MDUS, up to the slash before `services`.")],
    user: User = "OFFICE",
    password: Password = "",
    listen: Listen = "127.0.0.1:8555",
    process: Played = None,
    field: FieldName = "none",
    field_user: Annotated[str, typer.Option(help="User of our AMS at that URL.")] = "AMS1",
    field_password: FieldPassword = "",
    field_listen: FieldListen = "127.0.0.1:8557",
    ams: Annotated[str, typer.Option(help="Name of the AMS in the customizing of the MDUS.")] = "AMS1",
    material: Annotated[str, typer.Option(help="Material number of the meters.")] = "METER-E",
    fault: FaultKinds = None,
    share: Share = 0.3,
    seed: Seed = 1,
    late_s: LateS = 2.0,
    patience_s: Patience = 60.0,
    clock: ClockFile = None,
    junit: Junit = None,
) -> None:
    """Play SAP against your MDUS: scripted processes, with faults where you want them. Exit code 1 if one fails.

    Let the MDUS send its messages to the address of --listen. Each run makes devices that no run before has used.

    Without a field a process ends, and says so, where a meter would have to do something; that is no failure.

    [bold]openami testkit sap --mdus http://127.0.0.1:8402 --field ask --process "discrete meter reading"[/]

    [bold]openami testkit sap --mdus https://mdus.test --field ./meters.sh --fault duplicate --junit out.xml[/]
    """
    from openami.testing.run import Endpoint, MasterData, Peer, play_sap  # noqa: PLC0415 - as above

    async def play() -> list[Told]:
        time = _clock(clock)
        peer = Peer(mdus, field_user, field_password)
        async with _field(field, peer, Endpoint.parse(field_listen), time, ams) as meters:
            return await play_sap(
                Peer(mdus, user, password),
                Endpoint.parse(listen),
                process or [],
                faults=_faults(fault, share, seed, late_s),
                field=meters,
                clock=time,
                master_data=MasterData(ams, material),
                patience_s=patience_s,
                told=_line,
            )

    _report(asyncio.run(play()), "openami testkit sap", junit)


@testkit.command("mdus")
def mdus(
    office: Annotated[str, typer.Option(help="URL of the SAP or office, up to the slash before `services`.")],
    user: User = "MDUS",
    password: Password = "",
    listen: Listen = "127.0.0.1:8556",
    process: Annotated[
        list[str] | None, typer.Option(help="Name of a process that has to pass; may be repeated; else whatever comes.")
    ] = None,
    fault: FaultKinds = None,
    share: Share = 0.3,
    seed: Seed = 1,
    late_s: LateS = 2.0,
    for_s: Annotated[float | None, typer.Option(help="End after so many seconds; else when all have passed.")] = None,
    clock: ClockFile = None,
    junit: Junit = None,
) -> None:
    """Play MDUS for your SAP or office: confirm, register, read, upload, switch, tell. Exit code 1 if one fails.

    Let the SAP send its messages to the address of --listen, and do in it what `testkit processes` says.

    With --process the run ends when those have passed, else by Ctrl-C or --for-s; then it tells what passed and what
    never began.

    [bold]openami testkit mdus --office https://sap.test/openami --listen 0.0.0.0:8556 --process "interval upload"[/]
    """
    from openami.testing.run import Endpoint, Peer, play_mdus  # noqa: PLC0415 - as above

    playing = play_mdus(
        Peer(office, user, password),
        Endpoint.parse(listen),
        process or [],
        faults=_faults(fault, share, seed, late_s),
        clock=_clock(clock),
        for_s=for_s,
        told=_line,
    )
    _report(asyncio.run(playing), "openami testkit mdus", junit)


def _faults(kinds: list[str] | None, share: float, seed: int, late_s: float) -> Faults:
    from openami.testing.faults import Faults  # noqa: PLC0415 - as above

    return Faults.of(kinds or [], share=share, seed=seed, late_s=late_s)


def _clock(file: Path | None) -> Clock:
    from openami.shared.clock import RealClock, SharedClock  # noqa: PLC0415 - as above

    return RealClock() if file is None else SharedClock(file)


@contextlib.asynccontextmanager
async def _field(choice: str, mdus: object, endpoint: object, clock: Clock, ams: str) -> AsyncIterator[Field]:
    """The field of a choice; only one that is played over the seam has something to open."""
    from openami.testing.field import AskedField, NoField, ProgramField  # noqa: PLC0415 - as above
    from openami.testing.run import Endpoint, Peer, played_field  # noqa: PLC0415

    assert isinstance(mdus, Peer)
    assert isinstance(endpoint, Endpoint)
    if choice == "none":
        yield NoField()
    elif choice == "ask":
        yield AskedField(lambda sentence: typer.confirm(f"{sentence} Done?", default=True))
    elif choice.startswith(("http://", "https://")):
        async with played_field(Peer(choice, mdus.user, mdus.password), endpoint, clock, ams) as played:
            yield played
    else:
        yield ProgramField(choice)


def _line(one: Told) -> None:
    colour = "red" if one.failed else "yellow" if one.note else "green"
    console.print(f"[{colour}]{one.outcome}[/]  {one.number} {escape(one.name)}  {one.took_s:.1f} s", highlight=False)


def _report(told: Sequence[Told], suite: str, junit: Path | None) -> None:
    """What did not pass, with the reason; how many ended how; the file for a pipeline; the exit code."""
    from openami.testing.report import junit as junit_xml  # noqa: PLC0415 - as above
    from openami.testing.report import summary  # noqa: PLC0415

    for one in told:
        if one.note:
            colour = "red" if one.failed else "yellow"
            name = f"{one.number} {one.name}".strip()
            console.print(f"[{colour}]{escape(name)}[/]: {one.outcome}: {escape(one.note)}", soft_wrap=True)
    console.print(f"{summary(told)}.", highlight=False)
    if junit is not None:
        junit.write_bytes(junit_xml(told, suite))
    raise typer.Exit(1 if any(one.failed for one in told) else 0)


def add_to(app: typer.Typer) -> None:
    """Put the command into the main one."""
    app.add_typer(testkit, name="testkit")
