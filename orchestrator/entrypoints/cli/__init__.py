"""The command line: ``deskside``. It holds no logic; each command calls one use case (see ``_table`` for the list)."""

from __future__ import annotations

import logging
import os
import select
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
import typer.main

from orchestrator.application.errors import BadInputError, DesksideError
from orchestrator.entrypoints.cli._context import Cli, cli_of, current_actor
from orchestrator.entrypoints.cli._lazy import LazyGroup
from orchestrator.entrypoints.cli._options import add_shared
from orchestrator.entrypoints.cli._output import columns, console, print_json, print_refusal

__all__ = ["Cli", "cli_of", "columns", "console", "current_actor", "main", "print_json", "root"]

PROGRAM = "deskside"
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
INTERRUPTED = 130
BROKEN_PIPE = 141
"""What a shell reports for a program that SIGPIPE ended; nobody is left to read a message."""


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        print(f"{PROGRAM} {version(PROGRAM)}")
        raise typer.Exit


def _root(
    *,
    _version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Decide when work may touch which devices, do it, tell the people, prove what was done."""


def root() -> Any:
    """Build the root command; cheap, because commands are imported only when they are asked for."""
    app = typer.Typer(name=PROGRAM, cls=LazyGroup, rich_markup_mode=None, no_args_is_help=True, context_settings=SETTINGS)
    app.callback()(_root)
    return add_shared(typer.main.get_command(app))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and turn every end into an exit code.

    Args:
        argv: Arguments without the program's name; default the process's own.

    Returns:
        0, an Ansible code below 10 where a playbook was run, or the code of a :class:`DesksideError`.
    """
    args = list(sys.argv[1:] if argv is None else argv)
    group = root()
    if os.environ.get("_DESKSIDE_COMPLETE"):
        group.main(args=args, prog_name=PROGRAM)
    try:
        code = _call(group, args)
        sys.stdout.flush()
    except BrokenPipeError as error:
        code = BROKEN_PIPE if _stdout_is_gone() else _crashed(error)
    return code


def _call(group: Any, args: list[str]) -> int:
    try:
        with group.make_context(PROGRAM, args) as ctx:
            result = group.invoke(ctx)
    except typer.Exit as end:
        return end.exit_code
    except DesksideError as error:
        return _refused(error, args)
    except typer.TyperException as error:
        return _usage(error, args)
    except (KeyboardInterrupt, typer.Abort):
        print("Interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the last door: nothing leaves as a bare traceback
        return _crashed(error)
    return result if isinstance(result, int) else 0


def _refused(error: DesksideError, args: Sequence[str]) -> int:
    print_refusal(error, as_json=_wants_json(args))
    return error.exit_code


def _wants_json(args: Sequence[str]) -> bool:
    own = args[: args.index("--")] if "--" in args else args
    return "--json" in own


def _usage(error: typer.TyperException, args: Sequence[str]) -> int:
    """Typer's usage errors are bad input (12); a group without a command answers with its help."""
    text = error.format_message()
    if type(error).__name__ == "NoArgsIsHelpError":
        print(text, file=sys.stderr)
        return BadInputError.exit_code
    ctx = getattr(error, "ctx", None)
    hint = f" See: {ctx.command_path} --help" if ctx is not None else ""
    stop = "" if text.endswith("?") else "."
    return _refused(BadInputError(f"{text.rstrip('.')}{_given(error, args)}{stop}{hint}"), args)


def _given(error: typer.TyperException, args: Sequence[str]) -> str:
    """The value that was refused; typer's message leaves it out."""
    names = set(getattr(getattr(error, "param", None), "opts", ()))
    for word, following in zip(args, [*args[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        if name in names and (equals or following):
            return f' (given: "{value if equals else following}")'
    return ""


def _crashed(error: Exception) -> int:
    log = logging.getLogger(PROGRAM)
    if log.hasHandlers():
        log.error("unexpected error", exc_info=error)
    if os.environ.get("DESKSIDE_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    print(
        f"This is an error in deskside itself: {type(error).__name__}: {error}. With DESKSIDE_DEBUG=1 it shows where."
        f"   (exit {DesksideError.exit_code}: {DesksideError.summary})",
        file=sys.stderr,
    )
    return DesksideError.exit_code


def _stdout_is_gone() -> bool:
    """Whether nobody reads standard output any more; if so, what is left to write goes nowhere."""
    try:
        watch = select.poll()
        watch.register(sys.stdout.fileno(), select.POLLOUT)
        gone = any(event & (select.POLLERR | select.POLLNVAL) for _, event in watch.poll(0))
    except (OSError, ValueError):  # replaced by an object without a descriptor
        return False
    if gone:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return gone
