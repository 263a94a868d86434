/** Models that were called and have no price: what waits for one, the way to set it, and what was priced later. */
import { Anchor, Button, Code, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";

import { asApiError } from "@/api/request";
import type { LatePricing, UnpricedModel } from "@/api/types";
import { useMay } from "@/features/session/queries";
import { count, countExact, estimatedPart, money, moneyExact, plural } from "@/format/format";
import { EmptyState } from "@/ui/EmptyState";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { StaleNotice } from "@/ui/StaleNotice";
import { Table } from "@/ui/Table";
import { TimeAgo } from "@/ui/TimeAgo";

import { unpricedQuery } from "./queries";
import { SetPriceDialog } from "./SetPriceDialog";
import { sourceLabel } from "./words";

export function NeedsPriceTable() {
  const query = useQuery(unpricedQuery);
  const writable = useMay("write gateway");
  const [pricing, setPricing] = useState<UnpricedModel | null>(null);
  const late = query.data?.late_prices ?? [];
  return (
    <Stack gap="md">
      <Text size="sm" c="dimmed" maw={760}>
        The cost of these requests is unknown, and no sum holds them. Once their model has a price, by hand or from a
        catalogue, they are priced from the tokens that were kept, and every sum, export and budget shows it, those of
        past periods too. Nothing is refused afterwards for it.
      </Text>
      <StaleNotice query={query} />
      {query.isError && !query.data ? (
        <ProblemAlert
          error={asApiError(query.error)}
          title="The models could not be loaded"
          onRetry={() => void query.refetch()}
        />
      ) : (
        <Table<UnpricedModel>
          label="Models that need a price"
          idAccessor={({ provider_id, model }) => `${provider_id} ${model}`}
          records={query.data?.models}
          fetching={query.isPending}
          empty={
            <EmptyState title="Every request has a price">
              A model that is called without a known price appears here, with its requests.
            </EmptyState>
          }
          columns={[
            {
              accessor: "model",
              title: "Model",
              render: ({ model, needs }) => (
                <Stack gap={2} miw={180}>
                  <Code fz="sm" bg="transparent" p={0} fw={560}>
                    {model}
                  </Code>
                  {needs === "request_price" && (
                    <Text size="xs" c="dimmed">
                      has a price for tokens, but these calls counted none: it needs one per request, or per minute of sound
                    </Text>
                  )}
                </Stack>
              ),
            },
            { accessor: "provider_name", title: "Provider" },
            {
              accessor: "requests",
              title: "Requests",
              textAlign: "right",
              render: ({ requests, provider_id, model }) => (
                <Anchor
                  size="sm"
                  underline="hover"
                  title={countExact(requests)}
                  renderRoot={(props) => <Link {...props} to="/admin/requests" search={{ provider_id, model }} />}
                >
                  {count(requests)}
                </Anchor>
              ),
            },
            {
              accessor: "tokens",
              title: "Tokens in / out",
              textAlign: "right",
              noWrap: true,
              render: ({ input_tokens: input, output_tokens: output }) => (
                <span className="oc-figures" title={`${countExact(input)} in, ${countExact(output)} out`}>
                  {count(input)} / {count(output)}
                </span>
              ),
            },
            { accessor: "first_at", title: "Since", noWrap: true, render: ({ first_at }) => <TimeAgo at={first_at} /> },
            { accessor: "last_at", title: "Last", noWrap: true, render: ({ last_at }) => <TimeAgo at={last_at} /> },
            {
              accessor: "actions",
              title: "Price",
              textAlign: "right",
              render: (one) =>
                !one.provider_exists ? (
                  <Text size="xs" c="dimmed" miw={140}>
                    its provider was deleted, so none can be set
                  </Text>
                ) : writable ? (
                  <Button
                    size="compact-sm"
                    aria-label={`Set the price of ${one.model} at ${one.provider_name}`}
                    onClick={() => setPricing(one)}
                  >
                    Set Price
                  </Button>
                ) : (
                  "unknown"
                ),
            },
          ]}
        />
      )}
      {late.length > 0 && (
        <>
          <Title order={3} fz="md" mt="sm">
            Priced later
          </Title>
          <Table<LatePricing>
            label="Priced later"
            records={late}
            empty={null}
            columns={[
              {
                accessor: "model",
                title: "Model",
                render: ({ model, provider_name: provider }) => (
                  <Text size="sm" miw={180}>
                    {model} at {provider}
                  </Text>
                ),
              },
              {
                accessor: "price",
                title: "Price in / out per 1M",
                render: (one) => (
                  <Stack gap={0} miw={130}>
                    <Text size="sm" className="oc-figures">
                      {money(one.input_mtok)} / {money(one.output_mtok)}
                      {one.request_usd > 0 && ` + ${money(one.request_usd)} a request`}
                      {one.input_audio_minute_usd !== null && ` + ${money(one.input_audio_minute_usd)} a minute`}
                    </Text>
                    <Text size="xs" c="dimmed">
                      {sourceLabel(one.price_source.startsWith("override") ? "override" : one.price_source)}
                    </Text>
                  </Stack>
                ),
              },
              {
                accessor: "requests",
                title: "Requests",
                textAlign: "right",
                render: ({ requests }) => <span title={countExact(requests)}>{count(requests)}</span>,
              },
              {
                accessor: "cost_usd",
                title: "Came to",
                textAlign: "right",
                noWrap: true,
                render: (one) => (
                  <span className="oc-figures" title={moneyExact(one.cost_usd)}>
                    {money(one.cost_usd)}
                    {one.estimated_cost_usd > 0 && ` (${estimatedPart(one.estimated_cost_usd / one.cost_usd)})`}
                    {one.own_cost_usd > 0 && `, and ${money(one.own_cost_usd)}`}
                    {one.estimated_own_cost_usd > 0 &&
                      ` (${estimatedPart(one.estimated_own_cost_usd / one.own_cost_usd)})`}
                    {one.own_cost_usd > 0 && " on own keys"}
                  </span>
                ),
              },
              {
                accessor: "started_at",
                title: "When",
                noWrap: true,
                render: ({ started_at: at, finished_at: end }) => (end === null ? "under way" : <TimeAgo at={at} />),
              },
            ]}
          />
        </>
      )}
      <SetPriceDialog model={pricing} onClose={() => setPricing(null)} />
    </Stack>
  );
}

/** For a badge: how many models wait. */
export function waitingLabel(models: number): string {
  return `${plural(models, "model")} without a price`;
}
