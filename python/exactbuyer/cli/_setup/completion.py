"""`exactbuyer completion`: completes commands, options and file names in a shell."""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote

import click
from click.shell_completion import CompletionItem, get_completion_class

from exactbuyer.cli._console import print_data, print_message
from exactbuyer.cli.exit_codes import FileError, UsageError

SHELLS = ("bash", "zsh", "fish")

_VARIABLE = "_EXACTBUYER_COMPLETE"


def files(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes the name of a file."""
    return [CompletionItem(incomplete, type="file")]


@click.command(short_help="Complete commands, options and file names in your shell.")
@click.argument("shell", required=False, type=click.Choice(SHELLS))
@click.option("--install", is_flag=True, help="Set it up for all new shells of yours.")
@click.pass_context
def completion(context: click.Context, shell: str | None, *, install: bool) -> int:
    """Print what makes SHELL complete the commands, options and file names of exactbuyer.

    Without SHELL, it is your login shell (the environment variable SHELL). With --install, it is written to a
    file in your home, and the start-up file of the shell reads it.
    """
    name = shell or Path(os.environ.get("SHELL", "")).name
    kind = get_completion_class(name) if name in SHELLS else None
    if kind is None:
        raise UsageError(f"which shell? Pass one of {', '.join(SHELLS)}")
    script = kind(context.find_root().command, {}, "exactbuyer", _VARIABLE).source()
    if not install:
        print_data([script])
        return 0
    try:
        where = _install(name, script)
    except OSError as error:
        raise FileError(f"the completion cannot be installed: {error.strerror}") from None
    print_message(f"completion is installed ({where}): start a new shell to use it")
    return 0


def _install(shell: str, script: str) -> str:
    """Writes the script, and makes the shell's start-up file read it.

    Returns:
        The files that were written.
    """
    home = Path.home()
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    if shell == "fish":
        # It reads these files by itself.
        file = config / "fish" / "completions" / "exactbuyer.fish"
        _write(file, script)
        return str(file)
    file = config / "exactbuyer" / f"completion.{shell}"
    _write(file, script)
    read = f"[ -r {quote(str(file))} ] && . {quote(str(file))}"
    start_up = home / ".bashrc"
    if shell == "zsh":
        start_up = Path(os.environ.get("ZDOTDIR") or home) / ".zshrc"
        read = f"(( $+functions[compdef] )) || {{ autoload -Uz compinit && compinit }}; {read}"
    line = f"{read}  # completion of exactbuyer"
    # Bytes: the file is the user's, in any encoding.
    before = start_up.read_bytes() if start_up.exists() else b""
    if line.encode() not in before.splitlines():
        with start_up.open("ab") as stream:
            gap = b"" if not before or before.endswith(b"\n") else b"\n"
            stream.write(gap + line.encode() + b"\n")
    return f"{file}, read by {start_up}"


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
