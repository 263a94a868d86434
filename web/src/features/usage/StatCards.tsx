/** The four figures at the top of the providers' page. */
import { SimpleGrid, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";

import { providersQuery } from "@/features/providers/queries";
import { absoluteTime, count, countExact, estimatedPart, money, moneyExact, plural } from "@/format/format";
import { StatCard } from "@/ui/StatCard";
import { Trend } from "@/ui/Trend";

import { usageQuery } from "./queries";
import { useRange } from "./useRange";

export function StatCards() {
  const { period, bucket } = useRange();
  const usage = useQuery(usageQuery("gateway", period, bucket));
  const providers = useQuery(providersQuery);
  const cards = usage.data?.cards;
  const failed = usage.isError && !cards;
  const shown = (text: string | undefined): string | undefined => (failed ? "–" : text);
  const at = cards ? `Computed ${absoluteTime(cards.computed_at)}` : "";
  const enabled = providers.data?.filter((provider) => provider.enabled).length;
  const troubled = providers.data?.filter(
    (provider) => provider.enabled && ["down", "degraded"].includes(provider.health.status),
  ).length;
  return (
    <SimpleGrid cols={{ base: 1, xs: 2, lg: 4 }} spacing="md">
      <StatCard
        title="Total Providers"
        value={shown(cards && count(cards.total_providers))}
        exact={cards && `${plural(cards.total_providers, "configured provider")}. ${at}`}
        footer={
          <Text size="xs" c="dimmed">
            {enabled === undefined ? " " : `${enabled} enabled${troubled ? `, ${troubled} in trouble` : ""}`}
          </Text>
        }
      />
      <StatCard
        title="Active Models"
        value={shown(cards && count(cards.active_models))}
        exact={cards && `${countExact(cards.active_models)} models can be called. ${at}`}
        footer={
          <Text size="xs" c="dimmed">
            across all enabled providers
          </Text>
        }
      />
      <StatCard
        title="API Calls (30d)"
        value={shown(cards && count(cards.calls_30d))}
        exact={cards && `${countExact(cards.calls_30d)} calls in the last 30 days, with those that reached no provider: refused, or of a model that nobody serves. The cards of the providers do not count those. ${at}`}
        series={cards?.calls_series}
        footer={cards && <Trend percent={cards.calls_trend_pct} />}
      />
      <StatCard
        title="Total Cost (30d)"
        value={shown(cards && money(cards.cost_30d_usd))}
        exact={
          cards &&
          `${moneyExact(cards.cost_30d_usd)} in the last 30 days, of it ${moneyExact(cards.estimated_cost_30d_usd)} estimated${
            cards.unknown_cost_calls_30d
              ? `, without ${plural(cards.unknown_cost_calls_30d, "call")} of unknown cost`
              : ""
          }. ${at}`
        }
        series={cards?.cost_series}
        footer={
          cards && (
            <>
              <Trend percent={cards.cost_trend_pct} />
              {cards.estimated_cost_30d_usd > 0 && (
                <Text size="xs" c="dimmed">
                  {estimatedPart(cards.estimated_cost_30d_usd / cards.cost_30d_usd)}
                </Text>
              )}
              {cards.unknown_cost_calls_30d > 0 && (
                <Text size="xs" c="dimmed">
                  without {plural(cards.unknown_cost_calls_30d, "call")} of unknown cost
                </Text>
              )}
            </>
          )
        }
      />
    </SimpleGrid>
  );
}
