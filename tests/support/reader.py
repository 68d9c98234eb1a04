"""Somebody who reads a page from its beginning, and does on a machine of their own what each of its blocks says."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from support.cli import PATIENCE_S, Osmo
from support.pages import TOP, Block, blocks, not_printed, session


class Reader:
    """Takes the blocks of a page in their order. `places`: the folders that the page names, and where those are here.

    Each method names words of the block that has to be the next, so that a new example cannot be passed over. All
    buckets of the page are folders of one bucket.
    """

    def __init__(self, page: str, osmo: Osmo, bucket: str, places: dict[str, Path] | None = None) -> None:
        self.page, self.osmo, self.bucket = page, osmo, bucket
        self._places = places or {}
        self._left = blocks(TOP / page)

    def takes(self, words: str) -> str:
        """The text of the next block, with the names that hold here."""
        return self.here(self._next(words).text)

    def leaves(self, words: str, reasons: Mapping[str, str]) -> None:
        """Does not run the next block, for a reason that is known."""
        assert reasons[words]
        self._next(words)

    def pastes(self, words: str, *changes: tuple[str, str], **environ: str) -> str:
        """Pastes it into a shell, which ends well. Returns what that prints."""
        text = self.takes(words)
        for old, new in changes:
            assert old in text, f"{self.page}: no {old!r}"
            text = text.replace(old, new)
        return self.runs(["bash", "-euc", text], **environ)

    def types(self, words: str, *, loosely: bool = False) -> None:
        """Types the commands behind its prompts; each prints what is shown."""
        block = self._next(words)
        for command, shown in session(block.text):
            _, printed = self._run(["bash", "-c", self.here(command)], {})
            self.compares(block, shown, printed, loosely=loosely)

    def looks(self, words: str) -> Block:
        """The next block as it stands there, to be compared with something that runs meanwhile."""
        return self._next(words)

    def runs(self, argv: Sequence[str], **environ: str) -> str:
        """A command, which ends well. Returns what it prints."""
        code, printed = self._run(argv, environ)
        assert code == 0, f"{self.page}: {argv}: exit {code}\n{printed}"
        return printed

    def is_done(self) -> bool:
        assert not self._left, f"{self.page}:{self._left[0].line}: nobody has tried this"
        return True

    def here(self, text: str) -> str:
        """The page's names become those of this machine."""
        for name, place in self._places.items():
            text = text.replace(name, str(place))
        return re.sub(r"s3://([a-z])", rf"s3://{self.bucket}/\1", text)

    def there(self, text: str) -> str:
        """And back."""
        for name, place in self._places.items():
            text = text.replace(str(place), name)
        return text.replace(f"s3://{self.bucket}/", "s3://")

    def compares(self, block: Block, shown: str, printed: str, *, loosely: bool = False) -> None:
        missing = not_printed(shown, printed, loosely=loosely)
        assert missing is None, f"{self.page}:{block.line}: not printed: {missing}\nbut this was:\n{printed}"

    def _run(self, argv: Sequence[str], environ: dict[str, str]) -> tuple[int, str]:
        with (self.osmo.directory / "said").open("w+") as said:  # no pipe: what runs on would hold it open
            result = subprocess.run(
                argv,
                stdout=said,
                stderr=said,
                cwd=self.osmo.directory,
                env=self.osmo.environ | environ,
                stdin=subprocess.DEVNULL,
                timeout=PATIENCE_S,
                check=False,
            )
            said.seek(0)
            return result.returncode, self.there(said.read())

    def _next(self, words: str) -> Block:
        assert self._left, f"{self.page}: no block is left that has {words!r}"
        block = self._left.pop(0)
        assert words in block.text, f"{self.page}:{block.line}: no {words!r} in\n{block.text}"
        return block
