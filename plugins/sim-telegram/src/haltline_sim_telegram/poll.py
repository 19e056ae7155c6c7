"""How updates reach the bot: long polling by one poller at a time, or a webhook, never both."""

from haltline_sim_kit.fault import FaultBox, FaultKind
from haltline_sim_telegram.failure import ApiError, bad_request
from haltline_sim_telegram.record import Json
from haltline_sim_telegram.world import World

_LONGEST_S = 50


class Polling:
    """The one poller. A newer request ends an older one with 409, as on the platform."""

    def __init__(self, world: World, faults: FaultBox) -> None:
        self._world = world
        self._faults = faults
        self._current: object = None
        self.forced: list[Json] = []
        """Updates to be delivered once more with the next answer, whatever was confirmed."""

    async def get_updates(self, given: Json) -> list[Json]:
        """Wait for updates; raises ApiError 409 where a webhook is set or another poller comes."""
        if self._world.webhook:
            told = "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
            raise ApiError(409, f"Conflict: {told}")
        if given.get("allowed_updates") is not None:
            asked = given["allowed_updates"]
            self._world.allowed = frozenset(asked) if asked else None
        offset, limit = int(given.get("offset") or 0), min(100, max(1, int(given.get("limit") or 100)))
        self._current = me = object()
        self._world.watch.changed()
        timeout_s = min(_LONGEST_S, float(given.get("timeout") or 0))
        try:
            found = await self._world.watch.until(lambda: self._look(me, offset, limit), timeout_s=timeout_s)
        except TimeoutError:
            found = []
        finally:
            if self._current is me:
                self._current = None
        return self._bent(found)

    @property
    def is_waiting(self) -> bool:
        """Whether somebody polls just now."""
        return self._current is not None

    def _look(self, me: object, offset: int, limit: int) -> list[Json] | None:
        if self._current is not me:
            told = "terminated by other getUpdates request; make sure that only one bot instance is running"
            raise ApiError(409, f"Conflict: {told}")
        return self._world.fetch(offset=offset, limit=limit) or ([] if self.forced else None)

    def _bent(self, found: list[Json]) -> list[Json]:
        forced, self.forced = self.forced, []
        answer = [*forced, *found]
        if answer and self._faults.take_event(FaultKind.DUPLICATE):
            answer = [each for each in answer for _ in range(2)]
        if len(answer) > 1 and self._faults.take_event(FaultKind.REORDER):
            answer.reverse()
        return answer


def set_webhook(world: World, given: Json) -> object:
    """Keep a webhook. It is never called: updates stay queued, as for an address that cannot be reached."""
    url = str(given.get("url") or "")
    if url and not url.startswith("https://"):
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    world.webhook = {"url": url} if url else {}
    return _dropped(world, given)


def delete_webhook(world: World, given: Json) -> object:
    """Go back to polling."""
    world.webhook = {}
    return _dropped(world, given)


def webhook_info(world: World, given: Json) -> object:
    """The webhook and how much waits for it."""
    return {
        "url": world.webhook.get("url", ""), "has_custom_certificate": False,
        "pending_update_count": len(world.updates),
    }  # fmt: skip


def _dropped(world: World, given: Json) -> bool:
    if str(given.get("drop_pending_updates", "")).lower() in ("true", "1"):
        world.updates.clear()
    return True
