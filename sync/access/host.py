"""What the host does for the requests of one integration: lets them in, and keeps them to the pace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tenure_sdk import AuthRevoked, ConfigInvalid, Credentials

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from sync.access.limiter import Limiter
    from sync.access.oauth import Token
    from sync.access.tokens import Grant, Issued, Tokens
    from tenure_sdk.auth import Auth
    from tenure_sdk.limits import RateLimit

    LetIn = Callable[[str | None], Awaitable[Credentials]]


class Access:
    """The host of one integration's requests."""

    def __init__(
        self,
        limiter: Limiter,
        scope: str,
        rate: RateLimit,
        let_in: LetIn,
    ) -> None:
        self._limiter, self._scope, self._rate = limiter, scope, rate
        self._let_in = let_in

    async def credentials(self, refused: str | None = None) -> Credentials:
        """What lets a request in. Raises AuthRevoked when somebody has to authorise anew."""
        return await self._let_in(refused)

    def admission(self) -> AbstractAsyncContextManager[None]:
        """The right to have one request under way; raises RateLimited when its turn is far."""
        return self._limiter.admission(self._scope, self._rate)

    async def slow_down(self, seconds: float | None) -> None:
        """The remote side asked to slow down."""
        await self._limiter.slow_down(self._scope, self._rate, seconds)


def renewing(tokens: Tokens, grant: Grant, issued: Issued | None) -> LetIn:
    """Credentials whose token is renewed; it is read anew only when it has to be."""
    held = issued

    async def let_in(refused: str | None) -> Credentials:
        nonlocal held
        if held is None or not tokens.is_usable(held, grant, refused):
            held = await tokens.current(grant, refused)
        return Credentials({"access_token": held.token.access_token}, held.mark)

    return let_in


def parked(token: Token) -> LetIn:
    """Credentials with a token that nobody has confirmed yet, and that is not renewed."""
    return _unchanging(lambda: {"access_token": token.access_token})


def static(auth: Auth | None, known: Mapping[str, Any]) -> LetIn:
    """Credentials that a person gave; a request raises ConfigInvalid where one is missing."""

    def values() -> dict[str, str]:
        fields = auth.fields if auth is not None else ()
        for name in fields:
            if not known.get(name):
                raise ConfigInvalid(f"The secret {name} is missing.", key=name)
        return {name: str(known[name]) for name in fields}

    return _unchanging(values)


def _unchanging(values: Callable[[], dict[str, str]]) -> LetIn:
    async def let_in(refused: str | None) -> Credentials:
        if refused is not None:
            raise AuthRevoked
        return Credentials(values(), "given")

    return let_in
