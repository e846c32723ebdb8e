"""Commands that tell in one line what is wrong, for people who run them at a prompt."""

from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser

#: How a command ends that was given what it cannot use.
WRONG = 2
#: How one ends that could not reach the database, or the cluster.
AWAY = 3


class TerseCommand(BaseCommand):
    """A command whose errors are one line each; `--traceback` shows where they come from."""

    requires_system_checks = ()
    _at_a_prompt = False

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        """A parser that tells what is wrong without its usage, for which `--help` is there."""
        parser = super().create_parser(prog_name, subcommand, **options)

        def refuse(message: str) -> NoReturn:
            raise CommandError(f"{message} (see {parser.prog} --help)", returncode=WRONG)

        parser.error = refuse  # type: ignore[method-assign]  # Django names the parser's class
        return parser

    def run_from_argv(self, argv: list[str]) -> None:
        """Also tell so of arguments that cannot be used, of which Django has argparse tell."""
        self._at_a_prompt = True
        try:
            super().run_from_argv(argv)
        except CommandError as error:
            self._end(error, traceback="--traceback" in argv)

    def execute(self, *args: Any, **options: Any) -> str | None:
        """End by a line and a code where Django names the class of the error too."""
        try:
            return super().execute(*args, **options)
        except CommandError as error:
            if not self._at_a_prompt:
                raise
            self._end(error, traceback=options["traceback"])

    def _end(self, error: CommandError, *, traceback: bool) -> NoReturn:
        if traceback:
            raise error
        self.stderr.write(str(error))
        raise SystemExit(error.returncode) from error
