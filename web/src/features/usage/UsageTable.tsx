/** The numbers behind the charts. */
import { ScrollArea, SimpleGrid, Table } from "@mantine/core";

import type { Bucket, OwnUsage } from "@/api/types";
import { bucketLabel, countExact, moneyWithUnknown, share } from "@/format/format";

export function UsageTable({ usage, bucket }: { usage: OwnUsage; bucket: Bucket }) {
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }}>
      <ScrollArea.Autosize mah={360} viewportProps={{ tabIndex: 0, role: "region", "aria-label": "Calls over time" }}>
        <Table stickyHeader fz="sm">
          <Table.Caption>Usage over time</Table.Caption>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>From</Table.Th>
              <Table.Th ta="right">Calls</Table.Th>
              <Table.Th ta="right">Cost</Table.Th>
              <Table.Th ta="right">Estimated</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {usage.series.toReversed().map((point) => (
              <Table.Tr key={point.start_at}>
                <Table.Td>{bucketLabel(point.start_at, bucket, usage.time_zone)}</Table.Td>
                <Table.Td ta="right">{countExact(point.calls)}</Table.Td>
                <Table.Td ta="right">{moneyWithUnknown(point.cost_usd, point.unknown_cost_calls)}</Table.Td>
                <Table.Td ta="right">{partOf(point)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </ScrollArea.Autosize>
      <Table fz="sm">
        <Table.Caption>Cost by provider</Table.Caption>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Provider</Table.Th>
            <Table.Th ta="right">Cost</Table.Th>
            <Table.Th ta="right">Estimated</Table.Th>
            <Table.Th ta="right">Share</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {usage.cost_by_provider.map((slice) => (
            <Table.Tr key={slice.provider}>
              <Table.Td>{slice.provider}</Table.Td>
              <Table.Td ta="right">{moneyWithUnknown(slice.cost_usd, slice.unknown_cost_calls)}</Table.Td>
              <Table.Td ta="right">{partOf(slice)}</Table.Td>
              <Table.Td ta="right">{share(slice.share)}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </SimpleGrid>
  );
}

/** How much of a cost is estimated. */
function partOf({ cost_usd: cost, estimated_cost_usd: estimated }: { cost_usd: number; estimated_cost_usd: number }): string {
  return cost > 0 ? share(estimated / cost) : "–";
}
