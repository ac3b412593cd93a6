"""The limits that hold now: those of floor.toml, and over them what was changed while the floor runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from ibfloor.model.risk_fact import LimitChange, LimitsChanged
from ibfloor.risk.limits import LimitValue, RiskLimits, Scope, ScopeKind
from ibfloor.risk.parameters import is_loosening, parameters_of, read_value, shown

Overlay = dict[tuple[Scope, str], LimitValue]


class LimitRow(msgspec.Struct, frozen=True, kw_only=True):
    """One limit as it stands, for the screen."""

    scope: str
    limit: str
    rule: str
    value: str
    """As floor.toml writes it."""
    in_file: str
    """What floor.toml says; empty where its scope has none of its own there."""
    is_changed: bool


class Proposal(msgspec.Struct, frozen=True):
    """What a change of limits would do."""

    changes: tuple[LimitChange, ...]
    loosened: tuple[LimitChange, ...]
    """Those of them that let more pass than now."""


class LimitsInForce:
    """A fold over ``LimitsChanged``; owned and locked like the gate that holds it."""

    def __init__(self, in_file: RiskLimits) -> None:
        self._in_file = in_file
        self._overlay: Overlay = {}
        self.now = in_file

    def apply(self, fact: LimitsChanged) -> bool:
        """Take a change; ``False`` for one that was taken before. What this version does not know is left out."""
        if fact.version <= self.now.version:
            return False
        for change in fact.changes:
            try:
                scope = Scope(ScopeKind(change.scope), change.name)
                if change.after is None:
                    self._overlay.pop((scope, change.limit), None)
                else:
                    self._overlay[scope, change.limit] = read_value(scope, change.limit, change.after)
            except ValueError:
                continue
        self._build(fact.version)
        return True

    def propose(self, scope: Scope, wanted: Sequence[tuple[str, str]]) -> Proposal:
        """Return what new values for a scope would change; raise ``ValueError`` for one that is none."""
        changes, loosened = [], []
        for limit, text in wanted:
            after = read_value(scope, limit, text)
            own = self._own(scope, limit)
            if own is not _UNSET and own == after:
                continue
            change = _change(scope, limit, own, shown(after))
            changes.append(change)
            held = [own] if own is not _UNSET else _under(self.now, scope, limit)
            if any(is_loosening(scope, limit, _known(before), after) for before in held):
                loosened.append(change)
        return Proposal(tuple(changes), tuple(loosened))

    def propose_reset(self, scope: Scope | None, limits: Iterable[str] = ()) -> Proposal:
        """Return what going back to floor.toml would change, of one scope or of all (``None``).

        Raises ``ValueError`` for a limit that the scope has not.
        """
        changes, loosened, wanted = [], [], set(limits)
        kinds = ScopeKind if scope is None else (scope.kind,)
        known = list(dict.fromkeys(name for kind in kinds for name in parameters_of(kind)))
        if strange := sorted(wanted.difference(known)):
            of_scope = "there is" if scope is None else f"{scope} has"
            raise ValueError(f"{of_scope} no limit {strange[0]!r}; there are: {', '.join(known)}")
        for (each, limit), value in self._overlay.items():
            if (scope is not None and each != scope) or (wanted and limit not in wanted):
                continue
            change = _change(each, limit, value, None)
            changes.append(change)
            written = self._own_in_file(each, limit)
            next_in_line = (
                [written]
                if written is not _UNSET
                else [*_under(self._in_file, each, limit), *_under(self.now, each, limit)]
            )
            if any(is_loosening(each, limit, value, _known(after)) for after in next_in_line):
                loosened.append(change)
        return Proposal(tuple(changes), tuple(loosened))

    def rows(self) -> list[LimitRow]:
        """Return every limit that is set or changed, the common ones and the account's first."""
        rows = []
        for scope in (Scope(ScopeKind.ACCOUNT), Scope(ScopeKind.COMMON)):
            rows += [self._row(scope, name) for name in parameters_of(scope.kind)]
        for scope, values in sorted(self.now.patches.items()):
            rows += [self._row(scope, name) for name in values]
        return rows

    def _row(self, scope: Scope, name: str) -> LimitRow:
        in_file = self._own_in_file(scope, name)
        return LimitRow(
            scope=str(scope),
            limit=name,
            rule=parameters_of(scope.kind)[name].rule,
            value=shown(_known(self._own(scope, name))),
            in_file="" if in_file is _UNSET else shown(_known(in_file)),
            is_changed=(scope, name) in self._overlay,
        )

    def _own(self, scope: Scope, name: str) -> object:
        return _own(self.now, scope, name)

    def _own_in_file(self, scope: Scope, name: str) -> object:
        return _own(self._in_file, scope, name)

    def _build(self, version: int) -> None:
        base = self._in_file
        account, common = {}, {}
        patches = {scope: dict(values) for scope, values in base.patches.items()}
        for (scope, name), value in self._overlay.items():
            if scope.kind is ScopeKind.ACCOUNT:
                account[name] = value
            elif scope.kind is ScopeKind.COMMON:
                common[name] = value
            else:
                patches.setdefault(scope, {})[name] = value
        self.now = msgspec.structs.replace(
            self.now,
            version=version,
            account=msgspec.structs.replace(base.account, **account),
            strategy=msgspec.structs.replace(base.strategy, **common),
            patches=patches,
        )


_UNSET = object()


def _own(limits: RiskLimits, scope: Scope, name: str) -> object:
    if scope.kind is ScopeKind.ACCOUNT:
        return getattr(limits.account, name)
    if scope.kind is ScopeKind.COMMON:
        return getattr(limits.strategy, name)
    return limits.patches.get(scope, {}).get(name, _UNSET)


def _under(limits: RiskLimits, scope: Scope, name: str) -> list[object]:
    # What may hold where a scope has no limit of its own: that of any scope it would go before.
    before = {
        ScopeKind.CLASS: (ScopeKind.STRATEGY,),
        ScopeKind.INSTRUMENT: (ScopeKind.STRATEGY, ScopeKind.CLASS),
    }.get(scope.kind, ())
    others = [
        values[name]
        for each, values in limits.patches.items()
        if name in values and (each.kind in before or _may_go_before(scope, each))
    ]
    return [getattr(limits.strategy, name), *others]


def _may_go_before(scope: Scope, other: Scope) -> bool:
    # A contract is named by its id, or by its symbol, which the id goes before. Some symbols are numbers too,
    # and nobody here knows which symbol is whose: any other name may be of the same contract.
    return scope.kind is other.kind is ScopeKind.INSTRUMENT and scope != other and scope.name.isdigit()


def _known(value: object) -> LimitValue:
    assert value is None or isinstance(value, Decimal | bool)
    return value


def _change(scope: Scope, limit: str, before: object, after: str | None) -> LimitChange:
    return LimitChange(
        scope=scope.kind.value,
        name=scope.name,
        limit=limit,
        before="" if before is _UNSET else shown(_known(before)),
        after=after,
    )
