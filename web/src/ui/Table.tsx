/** The console's data table: hairlines, its own scrolling that a keyboard reaches, an empty state that helps. */
import { Box } from "@mantine/core";
import { DataTable, type DataTableProps } from "mantine-datatable";
import "mantine-datatable/styles.css";
import type { ReactNode } from "react";

type TableProps<Row> = DataTableProps<Row> & {
  label: string;
  /** Shown instead of the table when there is nothing. */
  empty: ReactNode;
};

/** Pass `records={undefined}` while they load. */
export function Table<Row extends object>({ label, empty, ...props }: TableProps<Row>) {
  if (props.records?.length === 0 && !props.fetching) {
    return <Box style={{ border: "1px solid var(--oc-hairline)", borderRadius: 8, background: "var(--oc-surface)" }}>{empty}</Box>;
  }
  const all = {
    withTableBorder: true,
    borderRadius: 8,
    borderColor: "var(--oc-hairline)",
    rowBorderColor: "var(--oc-hairline)",
    backgroundColor: "var(--oc-surface)",
    highlightOnHover: true,
    fz: "sm",
    verticalSpacing: 9,
    minHeight: props.records === undefined ? 240 : 0,
    loaderType: "dots",
    "aria-label": label,
    scrollAreaProps: { viewportProps: { tabIndex: 0, role: "region", "aria-label": label } },
    ...props,
  };
  // The library's properties are a union of unions that no spread can be proven to fit.
  return <DataTable<Row> {...(all as DataTableProps<Row>)} />;
}
