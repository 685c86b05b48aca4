"""The command line: one module per command, imported when it is used.

A module ``cli/NAME.py`` defines ``command``; dashes in a command are underscores in its module.
"""

import importlib
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import click

from attns_core.errors import AttnsError
from attns_core.version import __version__


class LazyGroup(click.Group):
    """A group whose commands are the modules of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        folder = Path(__file__).parent
        return sorted(p.stem.replace("_", "-") for p in folder.glob("*.py") if not p.stem.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"{__name__}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in self.list_commands(ctx):
            from attns_core.errors import UnknownNameError

            raise UnknownNameError("command", args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # The first line of a module's docstring, so that help imports no command.
        rows = []
        for name in self.list_commands(ctx):
            text = (Path(__file__).parent / f"{name.replace('-', '_')}.py").read_text(encoding="utf-8")
            rows.append((name, text.split('"""')[1].splitlines()[0] if '"""' in text else ""))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--plugin", "plugins", multiple=True, type=click.Path(path_type=Path), help="Load a single-file plugin; repeatable."
)
@click.option("--strict", is_flag=True, help="A plugin that fails to load is an error.")
@click.version_option(__version__, prog_name="attns")
@click.pass_context
def cli(ctx: click.Context, plugins: tuple[Path, ...], strict: bool) -> None:
    """Benchmark classical and AI-hybrid solvers of differential equations.

    \b
    Example:
      attns run examples/demo.toml
    """
    from attns_harness.cli._session import Session

    ctx.obj = Session(plugins, strict)


def main() -> None:
    """Entry point: errors a user can mend take one screen and exit code 2."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        code = cli.main(standalone_mode=False)
    except AttnsError as error:
        click.secho(f"Error: {error}", err=True, fg=None if os.environ.get("NO_COLOR") else "red")
        sys.exit(getattr(error, "exit_code", 2))
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # The reader (head, less) has what it wanted; Python must not complain while closing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    sys.exit(code if isinstance(code, int) else 0)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
