/** One alert: what it says, the figures it stands on, and what can be done about it. */
import { Badge, Button, Group, Menu, Stack, Text } from "@mantine/core";
import { IconChevronDown } from "@tabler/icons-react";

import { asApiError } from "@/api/request";
import type { Alert } from "@/api/types";
import { useMay } from "@/features/session/queries";
import { RequestsLink } from "@/features/usage/RequestsLink";
import { BusyButton } from "@/ui/BusyButton";
import { PathLink } from "@/ui/PathLink";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { StatusDot } from "@/ui/StatusDot";
import { TimeAgo } from "@/ui/TimeAgo";

import { useUpdateAlert } from "./queries";
import { figureText, RULE_LABELS } from "./words";

const MUTE = [
  { hours: 1, label: "1 hour" },
  { hours: 8, label: "8 hours" },
  { hours: 24, label: "1 day" },
  { hours: 168, label: "7 days" },
];

export function AlertItem({ alert }: { alert: Alert }) {
  const writes = useMay("write gateway");
  const update = useUpdateAlert(alert.id);
  const isOpen = alert.status === "open";
  const isMuted = alert.muted_until !== null;
  const name = `${RULE_LABELS[alert.rule]}: ${alert.subject_name}`;
  return (
    <Group
      component="li"
      aria-label={name}
      justify="space-between"
      align="flex-start"
      gap="sm"
      pt="md"
      pb="xs"
      style={{ borderTop: "1px solid var(--oc-hairline)" }}
    >
      <Stack gap={4} flex="1 1 340px" miw={0}>
        <Group gap="sm">
          <StatusDot color={isOpen ? "red" : "gray"} label={isOpen ? "Open" : "Over"} />
          <Text fw={560} size="sm">
            {name}
          </Text>
          {isMuted && (
            <Badge color="gray">
              Muted, ends <TimeAgo at={alert.muted_until} />
            </Badge>
          )}
          {alert.acknowledged_by && <Badge color="brand">Acknowledged by {alert.acknowledged_by}</Badge>}
        </Group>
        <Text size="sm">{alert.text}</Text>
        <Text size="xs" c="dimmed" className="oc-figures">
          {alert.figures.map((figure) => `${figure.name} ${figureText(figure)}`).join(" · ")}
        </Text>
        <Text size="xs" c="dimmed">
          Opened <TimeAgo at={alert.opened_at} />
          {isOpen ? (
            <>
              , seen last <TimeAgo at={alert.seen_at} />
            </>
          ) : (
            <>
              , over <TimeAgo at={alert.closed_at} />: {alert.closed_text}
            </>
          )}
        </Text>
        <Group gap="md">
          {alert.requests !== null && <RequestsLink requests={alert.requests} underline="always">Requests behind it</RequestsLink>}
          <PathLink path={alert.path}>
            Where to act
          </PathLink>
        </Group>
        {update.isError && <ProblemAlert error={asApiError(update.error)} title="Nothing was changed" />}
      </Stack>
      {writes && isOpen && (
        <Group gap={6}>
          <BusyButton
            size="compact-sm"
            variant="default"
            busy={update.isPending}
            aria-label={`${alert.acknowledged_at ? "Give Back" : "Acknowledge"} ${name}`}
            onClick={() => update.mutate({ acknowledged: alert.acknowledged_at === null })}
          >
            {alert.acknowledged_at ? "Give Back" : "Acknowledge"}
          </BusyButton>
          <Menu position="bottom-end">
            <Menu.Target>
              <Button
                size="compact-sm"
                variant="default"
                rightSection={<IconChevronDown size={12} />}
                aria-label={`Mute ${name}`}
              >
                Mute
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Label>Tell nobody, should it end or come back</Menu.Label>
              {MUTE.map(({ hours, label }) => (
                <Menu.Item key={hours} onClick={() => update.mutate({ mute_hours: hours })}>
                  For {label}
                </Menu.Item>
              ))}
              {isMuted && <Menu.Item onClick={() => update.mutate({ mute_hours: 0 })}>Unmute</Menu.Item>}
            </Menu.Dropdown>
          </Menu>
        </Group>
      )}
    </Group>
  );
}
