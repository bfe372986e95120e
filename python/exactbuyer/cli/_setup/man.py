"""`exactbuyer man`: the manual page, made of the help of all commands."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from exactbuyer import __version__
from exactbuyer.cli._console import print_data
from exactbuyer.cli.exit_codes import MEANINGS

_ENVIRONMENT = {
    "EXACTBUYER_API_KEY": "The API key, unless --key-file is given.",
    "EXACTBUYER_STORE": "The file of the store, or none, unless --store is given.",
    "EXACTBUYER_OFFLINE": "Any value but 0: no request leaves this machine.",
    "EXACTBUYER_LOG": "What is logged to standard error: off, info or debug.",
    "EXACTBUYER_DEBUG": "Any value: whole tracebacks and the log. They may contain values of the file.",
    "HTTPS_PROXY, ALL_PROXY, NO_PROXY": "The proxy, unless --proxy is given.",
    "SSL_CERT_FILE, SSL_CERT_DIR, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE": "The certificates to trust.",
    "NO_COLOR": "Any value: no colours.",
}


@click.command(short_help="Show the manual page.")
@click.pass_context
def man(context: click.Context) -> int:
    """Show the manual page. If the output is not a terminal, print its source, as `man` reads it.

    To install it: exactbuyer man > ~/.local/share/man/man1/exactbuyer.1
    """
    root = context.find_root()
    page = "\n".join(_page(root.command, root))
    viewer = shutil.which("man")
    if viewer is None or sys.stdout is None or not sys.stdout.isatty():
        print_data([page])
        return 0
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "exactbuyer.1")
        file.write_text(page + "\n", encoding="utf-8")
        return subprocess.run([viewer, str(file)], check=False).returncode  # noqa: S603 - found in PATH


def _page(command: click.Command, root: click.Context) -> Iterator[str]:
    yield f'.TH EXACTBUYER 1 "" "exactbuyer {__version__}"'
    yield ".SH NAME"
    yield r"exactbuyer \- bulk contact enrichment with ExactBuyer's API"
    yield ".SH SYNOPSIS"
    yield r"\fBexactbuyer\fR \fICOMMAND\fR [\fIOPTIONS\fR] [\fIARGUMENTS\fR]"
    yield ".SH DESCRIPTION"
    yield from _paragraphs(command.help or "")
    yield ".SH COMMANDS"
    yield from _commands(command, root)
    yield ".SH EXIT STATUS"
    yield from _items({str(int(code)): meaning for code, meaning in MEANINGS.items()})
    yield ".SH ENVIRONMENT"
    yield from _items(_ENVIRONMENT)


def _commands(command: click.Command, context: click.Context) -> Iterator[str]:
    """The commands of a group, those of its own groups among them."""
    if not isinstance(command, click.Group):
        return
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        if below is None or below.hidden:
            continue
        inside = click.Context(below, info_name=name, parent=context)
        usage = " ".join(below.collect_usage_pieces(inside))
        yield f'.SS "{_escaped(inside.command_path)} {_escaped(usage)}"'
        yield from _paragraphs(below.help or "")
        records = [parameter.get_help_record(inside) for parameter in below.get_params(inside)]
        yield from _items({term: text for term, text in filter(None, records) if text})
        yield from _commands(below, inside)


def _items(items: dict[str, str]) -> Iterator[str]:
    for term, text in items.items():
        yield ".TP"
        yield rf"\fB{_escaped(term)}\fR"
        yield _escaped(text)


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        yield ".PP"
        yield _escaped(" ".join(paragraph.replace("\b", "").split()))


def _escaped(text: str) -> str:
    """Text as roff reads it: a leading dot or apostrophe would be a request."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped
