"""The keys of the installation, for the operator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli import terminal
from cli.terminal import Data

if TYPE_CHECKING:
    from domain.core.settings import Settings
    from sync.access.rotation import Rotated

keys = terminal.app("The keys that secrets are encrypted with.")


@keys.command("rotate")
def rotate_keys(data: Data = None) -> None:
    """Encrypt all secrets with a new key while the server works; run it again to drop the old key."""
    from sync.access.rotation import Step

    with terminal.waiting("Encrypting"):
        done = terminal.run(_rotate(terminal.settings(data)))
    terminal.say(f"{done.secrets} secrets were encrypted anew.")
    if done.unreadable:
        terminal.say(f"{done.unreadable} secrets cannot be read with any key of this file: they have to be set anew.")
    if done.step is Step.BEGUN:
        terminal.say(
            "The old key is still read with. Copy the key file to every other machine of this installation and to its "
            "safe place, then run this again to drop the old key."
        )
    else:
        terminal.say("The old key is gone from the key file. Keep its copies as long as backups from before.")


async def _rotate(settings: Settings) -> Rotated:
    from domain.core.secrets import key_path
    from sync.access.rotation import rotate

    async with terminal.opened(settings) as database:
        return await rotate(database, key_path(settings.data, settings.key_file))
