"""How a server logs: one JSON object per line, or readable lines on a terminal; never a personal value."""

from __future__ import annotations

import asyncio
import logging
import sys
import traceback
from typing import TYPE_CHECKING, Any

import structlog

from sync.relay import told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from structlog.typing import ExcInfo, Processor

log = structlog.get_logger()


def configure(level: str) -> None:
    """Send our own log and that of the libraries to stderr, from this level on; call it from the server's loop."""
    asyncio.get_running_loop().set_exception_handler(_unawaited)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level, *_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )  # fmt: skip
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter(_renderer()))
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for chatty in ("alembic", "httpx2", "uvicorn", "websockets"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))


def formatter(renderer: Processor) -> logging.Formatter:
    """Writes what the libraries log, and our own."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared(), processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
    )


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(_named),
    ]


def _named(exc_info: ExcInfo) -> str:
    """What failed and where, its causes below; no message of an error, since it may quote a personal value."""
    return "\n".join(_lines(exc_info[1]))


def _lines(failure: BaseException | None) -> Iterator[str]:
    while failure is not None:
        yield f"{type(failure).__module__}.{type(failure).__qualname__}"
        for frame in reversed(traceback.extract_tb(failure.__traceback__)):
            yield f"  at {frame.filename}:{frame.lineno} in {frame.name}"
        failure = failure.__cause__ or failure.__context__


def _unawaited(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Note what failed with nobody waiting for it; asyncio itself would write the message of the error, too."""
    failure = context.get("exception")
    log.error("task.failed", what=context["message"], **(told(failure) if isinstance(failure, Exception) else {}))


def _renderer() -> Processor:
    if sys.stderr.isatty():
        return structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    return structlog.processors.JSONRenderer()
