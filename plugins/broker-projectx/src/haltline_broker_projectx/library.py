"""project-x-py and pysignalr, imported in one place and made quiet.

Importing project-x-py hangs JSON handlers on standard output into its loggers; importing pysignalr replaces how every
`websockets` connection of the process repeats itself. Both are undone here.
"""

import logging

from websockets.asyncio import client as websockets_client

_own_iteration = websockets_client.connect.__aiter__

import project_x_py  # noqa: E402 - between what it changes and what undoes that
from project_x_py import ProjectX  # noqa: E402
from project_x_py.exceptions import OrderSubmissionUncertainError, ProjectXError  # noqa: E402
from project_x_py.models import ProjectXConfig  # noqa: E402
from pysignalr.client import SignalRClient  # noqa: E402
from pysignalr.exceptions import AuthorizationError  # noqa: E402
from pysignalr.messages import CloseMessage, Message  # noqa: E402
from pysignalr.protocol.json import JSONProtocol  # noqa: E402

__all__ = [
    "AuthorizationError",
    "CloseMessage",
    "JSONProtocol",
    "Message",
    "OrderSubmissionUncertainError",
    "ProjectX",
    "ProjectXConfig",
    "ProjectXError",
    "SignalRClient",
    "project_x_py",
]


def _undo() -> None:
    websockets_client.connect.__aiter__ = _own_iteration  # type: ignore[method-assign]
    for name in logging.root.manager.loggerDict:
        logger = logging.getLogger(name)
        if name.startswith("project_x_py"):
            logger.handlers.clear()
            logger.propagate = True
            logger.setLevel(logging.ERROR)
        elif name.startswith("pysignalr"):
            logger.setLevel(logging.CRITICAL)  # the token is part of the addresses that it logs


_undo()
