"""The call `plan` of `BulkEnricher`: it sends nothing."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, cast, overload

from ._calls.options import CallOptions
from ._frames.cluster.detect import cluster_frame_of, is_cluster_frame
from ._frames.cluster.planner import ClusterInput
from ._frames.request import By, Columns, Split, TableRequest
from ._frames.table_input import TableInput
from ._traceback import short_traceback
from .report.message import TABLE, Term, said, wrong

if TYPE_CHECKING:
    from ._calls.session import Session
    from .field_types import FieldType, RequiredField
    from .report.plan import Plan


class PlanCalls:
    """The call `plan` of `BulkEnricher`."""

    __slots__ = ()

    _session: Session

    @overload
    def plan(
        self,
        rows: Iterable[object],
        by: None = None,
        *,
        field_type: FieldType | None = ...,
        required_fields: Iterable[RequiredField] | None = ...,
        max_credits: int | None = ...,
        refresh: bool = ...,
        store_only: bool = ...,
    ) -> Plan: ...

    @overload
    def plan(
        self,
        rows: object,
        by: By,
        *,
        columns: Columns | None = ...,
        prefix: str = ...,
        split: Split | None = ...,
        region: Hashable | None = ...,
        field_type: FieldType | None = ...,
        required_fields: Iterable[RequiredField] | None = ...,
        max_credits: int | None = ...,
        refresh: bool = ...,
        store_only: bool = ...,
    ) -> Plan: ...

    def plan(
        self,
        rows: object,
        by: By | None = None,
        *,
        columns: Columns | None = None,
        prefix: str = "eb_",
        split: Split | None = None,
        region: Hashable | None = None,
        field_type: FieldType | None = None,
        required_fields: Iterable[RequiredField] | None = None,
        max_credits: int | None = None,
        refresh: bool = False,
        store_only: bool = False,
    ) -> Plan:
        """Shows what `enrich` or `enrich_table` would send with these arguments, and what it could cost.

        It uses no network and no key, and costs nothing.

        With `by`, `rows` is a table as for `enrich_table`, but not a reader; `columns` and `prefix` are only
        checked. Without it, `columns`, `prefix`, `split` and `region` are refused.

        For a frame of a cluster, it runs one job there. Such rows have no numbers: `row` is -1 in `problems`
        and `suspects`, and there is one problem for each reason.

        Returns:
            The numbers of rows, lookups, requests and credits. It prints as a table.

        Raises:
            TypeError: `rows`, or one of them, has a wrong type. The message says what to pass instead.
            ValueError: A pair or a mapping has a field type that does not exist. The message has the row's
                number.
            ConfigError: With `by`: as `enrich_table`.

        Example:
            >>> from exactbuyer import BulkEnricher
            >>> plan = BulkEnricher().plan(["ana@acme.example", "ANA@acme.example", "?", None])
            >>> plan.rows, plan.missing, plan.invalid, plan.duplicates, plan.to_send
            (4, 1, 1, 1, (1, 1))
        """
        with short_traceback:
            options = CallOptions.checked(
                field_type, required_fields, max_credits, refresh=refresh, store_only=store_only
            )
            if by is None:
                # With a value, each of these is about a table.
                own_prefix = None if prefix == "eb_" else prefix
                of_tables = {"columns": columns, "prefix": own_prefix, "split": split, "region": region}
                for name in (name for name, value in of_tables.items() if value is not None):
                    raise wrong(name, "is only for tables: pass ", Term("by"), ", too")
                read = self._session.read(cast("Iterable[object]", rows), options)
                return self._session.plan(read, options)
            table_request = TableRequest.checked(
                by, columns, prefix, split, options.field_type, region=region
            )
            if is_cluster_frame(rows):
                frame = cluster_frame_of(rows)
                return ClusterInput(frame, table_request, self._session.settings).plan(
                    lambda read: self._session.plan(read, options)
                )
            table = TableInput(rows, table_request, self._session.settings)
            plan = self._session.plan(table.all_rows(), options)
            problems = (problem._replace(reason=said(problem.reason, TABLE)) for problem in plan.problems)
            return replace(plan, problems=tuple(problems), columns=table.table_request.named(plan.columns))
