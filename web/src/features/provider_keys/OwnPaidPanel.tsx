/** What ran on one's own keys, apart from what the platform paid. Nothing to show without own keys. */
import { Button, Group, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { estimatedPart, moneyWithUnknown, plural } from "@/format/format";
import { Monogram } from "@/ui/Monogram";
import { Panel } from "@/ui/Panel";
import { TimeAgo } from "@/ui/TimeAgo";

import { providerKeysQuery } from "./queries";

export function OwnPaidPanel() {
  const keys = useQuery(providerKeysQuery).data?.provider_keys ?? [];
  if (keys.length === 0) return null;
  return (
    <Panel
      title="Paid with My Own Keys"
      description="The last 30 days. Billed to you by the providers; not part of the cost above."
      controls={
        <Button component={Link} to="/account/provider-keys" size="xs" variant="default">
          Provider Keys
        </Button>
      }
    >
      <Stack gap="xs">
        {keys.map((key) => (
          <Group key={key.type} justify="space-between" gap="sm">
            <Group gap="sm" wrap="nowrap">
              <Monogram name={key.type_name} color={key.color} size={24} />
              <Text size="sm">{key.type_name}</Text>
            </Group>
            <Text size="sm" className="oc-figures">
              {moneyWithUnknown(key.own_cost_30d_usd, key.unknown_cost_requests_30d)}{" "}
              <Text component="span" inherit c="dimmed">
                {key.estimated_share_30d > 0 && `(${estimatedPart(key.estimated_share_30d)}) `}· {plural(key.requests_30d, "request")} · last used <TimeAgo at={key.last_used_at} />
              </Text>
            </Text>
          </Group>
        ))}
      </Stack>
    </Panel>
  );
}
