"""The grammar of SRS's configuration files: text becomes a tree of directives with their lines.

A directive is words that end with ``;`` or with a block in braces. Words are ended by blanks, line ends, ``;`` and
``{``; ``"`` and ``'`` at the front of a word quote, without escapes and over lines, and must be followed by one of
those; an empty quoted word vanishes. ``#`` between words begins a comment. Nothing has a type: a value is text.

SRS since 6.0.135 refuses the end of a line inside a directive, because a forgotten ``;`` used to swallow the next one;
so do we, unless told to be lenient.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from edge.flags.problem import cut

MAX_FILE_BYTES = 16 << 20
MAX_WORD_CHARS = 4096  # as SRS's buffer
MAX_WORDS = 1024
MAX_DEPTH = 16  # SRS's files use four
#: Directives from one pause for others to the next.
SLICE = 500
#: The first line of what ``edge.conf.dump`` writes; comments behind its directives say where a value comes from.
DUMP_MARK = "# effective configuration, written by edge -dump_config"

_TOKEN = re.compile(
    r"""[ \t\r]*(?:
        (?P<line>\n) | (?P<comment>\#[^\n]*) | (?P<end>;) | (?P<open>\{) | (?P<close>\})
        | "(?P<double>[^"]*)" | '(?P<single>[^']*)' | (?P<unclosed>["']) | (?P<word>[^ \t\r\n;{]+)
    )""",
    re.VERBOSE,
)
_AFTER_QUOTE = frozenset(" \t\r\n;{")
_ORIGIN = re.compile(r"[ \t]*#[ \t]*([^\r\n]*)")
_LONE_RETURN = re.compile(r"\r(?!\n)")


class GrammarError(Exception):
    """The text is no configuration.

    Attributes:
        where: ``file:line`` of what is wrong, for something left open the line that opens it.
        message: what is wrong.
    """

    def __init__(self, where: str, message: str) -> None:
        super().__init__(f"{where}: {message}")
        self.where, self.message = where, message


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive.

    Attributes:
        args: the words behind the name.
        file: as it was named.
        line: of its name, from 1.
        block: what stands in its braces; None for one that ends with ``;``.
        origin: where its value came from first, if a dump says so, else "".
    """

    name: str
    args: tuple[str, ...]
    file: str
    line: int
    block: tuple[Directive, ...] | None = None
    origin: str = ""

    @property
    def where(self) -> str:
        """``file:line``; what the environment says has no line."""
        return f"{self.file}:{self.line}" if self.line else self.file

    @property
    def text(self) -> str:
        """As it was written, without its end."""
        return " ".join((self.name, *self.args))

    def find(self, name: str) -> Directive | None:
        """The first directive of that name in its block."""
        return next((each for each in self.block or () if each.name == name), None)


@dataclass(slots=True)
class _Open:
    """A block that is not closed yet."""

    words: list[str]
    line: int
    inside: list[Directive] = field(default_factory=list)


def decode(data: bytes, file: str) -> str:
    """The text of a file; raises GrammarError, with the offset of the byte that is wrong."""
    if len(data) > MAX_FILE_BYTES:
        raise GrammarError(file, f"larger than {MAX_FILE_BYTES} bytes")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise GrammarError(f"{file}:1", "byte 0: this is UTF-16; write it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise GrammarError(f"{file}:{line}", f"byte {error.start}: not valid UTF-8") from error
    offset, what = data.find(b"\0"), "a NUL byte"
    lone = _LONE_RETURN.search(text) if offset < 0 else None
    if lone is not None:
        offset, what = data.find(b"\r", len(text[: lone.start()].encode())), "a carriage return without a line feed"
    if offset >= 0:
        line = data.count(b"\n", 0, offset) + 1
        raise GrammarError(f"{file}:{line}", f"byte {offset}: {what}")
    return text


class Parser:
    """Reads one text.

    Attributes:
        directives: those that have been read, when ``slices`` has come to its end.
        warnings: place and message of what was read leniently.
    """

    def __init__(self, text: str, file: str, *, is_lenient: bool = False) -> None:
        self.directives: tuple[Directive, ...] = ()
        self.warnings: list[tuple[str, str]] = []
        self._text, self._file, self._is_lenient = text, file, is_lenient
        self._is_dump = text.startswith(DUMP_MARK)
        self._stack = [_Open([], 0)]
        self._words: list[str] = []
        self._line = self._words_line = 1
        self._warned_line = self._count = 0

    def slices(self) -> Iterator[None]:
        """Read all of it, with a pause for the caller after some hundred directives; raises GrammarError."""
        text, position, size = self._text, 0, len(self._text)
        paused_at = 0
        while position < size:
            found = _TOKEN.match(text, position)
            if found is None:  # blanks at the end
                break
            position = found.end()
            match found.lastgroup:
                case "line":
                    self._end_line()
                case "comment":
                    pass
                case "end":
                    position = self._end_directive(position)
                case "open":
                    self._open()
                case "close":
                    self._close()
                case "word":
                    self._add(found["word"])
                case _:
                    self._quoted(found, text[position : position + 1])
            if self._count - paused_at >= SLICE:
                paused_at = self._count
                yield
        self._finish()

    def _add(self, word: str) -> None:
        if not self._words:
            self._words_line = self._line
        if len(word) > MAX_WORD_CHARS:
            raise self._fault(self._line, f"a word of {len(word)} characters: at most {MAX_WORD_CHARS}")
        if len(self._words) > MAX_WORDS:
            raise self._fault(self._words_line, f"more than {MAX_WORDS} words in one directive")
        self._words.append(word)

    def _quoted(self, found: re.Match[str], follower: str) -> None:
        if found.lastgroup == "unclosed":
            raise self._fault(self._line, f"the quote {found['unclosed']} is never closed")
        word = found[found.lastgroup or ""]
        if follower and follower not in _AFTER_QUOTE:
            raise self._fault(self._line, f'blank, ";" or "{{" must follow a quoted word, not {follower!r}')
        if word:
            self._add(word)
        elif not self._words:
            raise self._fault(self._line, "an empty word where the name of a directive is due")
        self._line += word.count("\n")

    def _end_line(self) -> None:
        if self._words:
            said = cut(" ".join(self._words))
            if not self._is_lenient:
                raise self._fault(self._words_line, f"missing ';' after `{said}`?")
            if self._warned_line != self._line:
                self._warned_line = self._line
                message = f"missing ';' after `{said}`? The next line is read as part of it"
                self.warnings.append((f"{self._file}:{self._line}", message))
        self._line += 1

    def _end_directive(self, position: int) -> int:
        if not self._words:
            raise self._fault(self._line, 'a ";" that ends nothing')
        origin = ""
        if self._is_dump and (comment := _ORIGIN.match(self._text, position)) is not None:
            origin, position = comment[1].strip(), comment.end()
        self._append(self._words, self._words_line, None, origin)
        self._words = []
        return position

    def _append(self, words: list[str], line: int, block: tuple[Directive, ...] | None, origin: str = "") -> None:
        self._stack[-1].inside.append(Directive(words[0], tuple(words[1:]), self._file, line, block, origin))
        self._count += 1

    def _open(self) -> None:
        if not self._words:
            raise self._fault(self._line, 'a "{" without a name before it')
        if len(self._stack) > MAX_DEPTH:
            raise self._fault(self._words_line, f"blocks more than {MAX_DEPTH} deep")
        self._stack.append(_Open(self._words, self._words_line))
        self._words = []

    def _close(self) -> None:
        if self._words:
            raise self._fault(self._words_line, f"missing ';' after `{cut(' '.join(self._words))}`?")
        if len(self._stack) == 1:
            raise self._fault(self._line, 'a "}" that closes nothing')
        block = self._stack.pop()
        self._append(block.words, block.line, tuple(block.inside))

    def _finish(self) -> None:
        if self._words:
            raise self._fault(self._words_line, f"missing ';' after `{cut(' '.join(self._words))}`?")
        if len(self._stack) > 1:
            block = self._stack[-1]
            raise self._fault(block.line, f"the block of `{cut(' '.join(block.words))}` is never closed")
        self.directives = tuple(self._stack[0].inside)

    def _fault(self, line: int, message: str) -> GrammarError:
        return GrammarError(f"{self._file}:{line}", message)


def parse_text(text: str, file: str, *, is_lenient: bool = False) -> tuple[Directive, ...]:
    """The directives of a text; raises GrammarError."""
    parser = Parser(text, file, is_lenient=is_lenient)
    for _ in parser.slices():
        pass
    return parser.directives
