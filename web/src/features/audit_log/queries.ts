/** The audit log page by page, the actions it holds, and whether its chain is whole. */
import { keepPreviousData, queryOptions } from "@tanstack/react-query";

import {
  getExportAuditLogUrl,
  listAuditedActions,
  listAuditLog,
  verifyAuditLog,
} from "@/api/generated/control";
import type { AuditLogSearch } from "@/app/search";

const PER_PAGE = 50;

/** The filters as the API takes them: a day becomes the instants at which it begins and ends here. */
export function filtersOf({ actor, action, object, from, to }: AuditLogSearch) {
  return { actor, action, object, since: from && startOf(from, 0), until: to && startOf(to, 1) };
}

function startOf(day: string, later: number): string {
  const start = new Date(`${day}T00:00:00`);
  start.setDate(start.getDate() + later);
  return start.toISOString();
}

export const auditLogQuery = (search: AuditLogSearch) =>
  queryOptions({
    queryKey: ["audit-log", "page", search],
    queryFn: ({ signal }) =>
      listAuditLog({ ...filtersOf(search), limit: PER_PAGE, cursor: search.cursor }, { signal }),
    placeholderData: keepPreviousData,
  });

export const actionsQuery = queryOptions({
  queryKey: ["audit-log", "actions"],
  queryFn: ({ signal }) => listAuditedActions({ signal }).then((answer) => answer.actions),
});

export const verificationQuery = queryOptions({
  queryKey: ["audit-log", "verification"],
  queryFn: ({ signal }) => verifyAuditLog({ signal }),
  staleTime: 5 * 60_000,
});

export const exportAddress = (search: AuditLogSearch, format: "csv" | "json"): string =>
  getExportAuditLogUrl({ ...filtersOf(search), format });
