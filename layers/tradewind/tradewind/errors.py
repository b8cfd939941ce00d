"""The error hierarchy, split by one question: may the same call be tried again?

State machines and queues match on the class *name*, so a name is part of the contract:
a rename here is a rename in ``statemachines/``.
"""


class TradewindError(Exception):
    """Anything Tradewind raises on purpose. The message names what, where and what to do."""


class RetryableError(TradewindError):
    """The same call may succeed later; trying again cannot do harm."""


class PermanentError(TradewindError):
    """Trying the same call again gives the same answer; somebody has to change something."""


# -- retryable ------------------------------------------------------------------------------


class ProviderUnavailableError(RetryableError):
    """A market-data provider did not answer, or answered with a server error or broken body.

    Worth another try at once, with a growing pause.
    """


class UnreadableAnswerError(ProviderUnavailableError):
    """An answer that is no JSON, holds something else than bars, or contradicts itself."""


class EmptyAnswerError(ProviderUnavailableError):
    """An answer without any content where at least the form of an answer was due."""


class ThrottledError(RetryableError):
    """A service refused for rate. ``retry_after`` is in seconds, None when it did not say."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DailyQuotaError(ThrottledError):
    """A day's requests are used up; ``retry_after`` reaches to the next day."""


class BrokerUnavailableError(RetryableError):
    """The broker could not be reached: a call that changes nothing failed, or one that would have
    changed something provably was not sent."""


class NotifierUnavailableError(RetryableError):
    """A notification channel did not take the message now."""


class ControlUnavailableError(RetryableError):
    """The shared short-lived state (switch, claims, budgets) could not be read or written."""


class DatabaseUnavailableError(RetryableError):
    """PostgreSQL could not be reached or dropped the connection."""


# -- permanent ------------------------------------------------------------------------------


class InvalidInputError(PermanentError):
    """An event, file, parameter or setting is wrong."""


class BrokerRejectedError(PermanentError):
    """The broker understood the request and refused it. ``code`` is the broker's own."""

    def __init__(self, message: str, code: int | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class BrokerKeyRefusedError(BrokerRejectedError):
    """The broker does not take our key or token for this account or address."""


class ProviderRefusedError(PermanentError):
    """A market-data provider refused the request, and would refuse it again."""


class KeyRefusedError(ProviderRefusedError):
    """The provider's key is missing, wrong, revoked or a demonstration key: put a good one."""


class PlanTooSmallError(ProviderRefusedError):
    """The key's plan does not include what was asked for: another plan or another provider."""


class FeedForbiddenError(PlanTooSmallError):
    """The plan does not include this feed, or not its newest minutes."""


class UnknownSymbolError(ProviderRefusedError):
    """The provider knows no such symbol, or takes the call for malformed."""


class UnknownNoticeError(ProviderRefusedError):
    """A notice instead of data whose wording is not known; it is quoted in the message."""


class NotifierRefusedError(PermanentError):
    """A notification channel refused the message or its address for good."""


class OutsideCalendarError(PermanentError):
    """A date lies beyond the built session table: rebuild it with ``make sessions``."""


class PayloadMismatchError(PermanentError):
    """An object passed by reference is missing or does not have the hash it was sent with."""


class SchemaMismatchError(PermanentError):
    """The database's schema is not the one this code was built for."""


class CycleFailedBeforeError(PermanentError):
    """This minute's cycle has already run and failed; reconciliation takes it from here."""


# -- neither: the outcome is not known -------------------------------------------------------


class OutcomeUnknownError(TradewindError):
    """A request that may have changed something got no clear answer.

    It must be looked up by its id before anything is sent again: never a plain retry.
    """
