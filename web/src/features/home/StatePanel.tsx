/** Is anything broken: what is or is missing, with the way to mend it; else that all is well. And what was looked at. */
import { Group, SimpleGrid, Stack, Text, ThemeIcon } from "@mantine/core";
import { IconAlertTriangle, IconCheck, IconMinus, IconPlugConnectedX } from "@tabler/icons-react";

import type { Home } from "@/api/types";
import { plural } from "@/format/format";
import { Panel } from "@/ui/Panel";
import { PathLink } from "@/ui/PathLink";
import { StatusDot } from "@/ui/StatusDot";
import { TimeAgo } from "@/ui/TimeAgo";

type State = Home["state"];
type Severity = State["troubles"][number]["severity"];

const SEVERITIES: Record<Severity, { color: "red" | "yellow" | "gray"; label: string }> = {
  broken: { color: "red", label: "Broken" },
  warning: { color: "yellow", label: "Warning" },
  missing: { color: "gray", label: "Missing" },
};

export function StatePanel({ state }: { state: State }) {
  const count = (severity: Severity): number => state.troubles.filter((one) => one.severity === severity).length;
  const [broken, warnings, missing] = [count("broken"), count("warning"), count("missing")];
  return (
    <Panel
      title="Is anything broken?"
      controls={
        <Text size="xs" c="dimmed">
          Checked <TimeAgo at={state.checked_at} />
        </Text>
      }
    >
      <Stack gap="md">
        {state.troubles.length === 0 ? (
          <Group gap="sm" wrap="nowrap">
            <ThemeIcon color="green" radius="xl" size={28}>
              <IconCheck size={18} aria-hidden />
            </ThemeIcon>
            <Text fw={600} fz="lg">
              All good
            </Text>
          </Group>
        ) : (
          <>
            <Group gap="sm" wrap="nowrap">
              <ThemeIcon color={broken ? "red" : warnings ? "yellow" : "gray"} radius="xl" size={28}>
                {broken || warnings ? <IconAlertTriangle size={18} aria-hidden /> : <IconPlugConnectedX size={18} aria-hidden />}
              </ThemeIcon>
              <Text fw={600} fz="lg">
                {[
                  broken > 0 && `${broken} broken`,
                  warnings > 0 && plural(warnings, "warning"),
                  missing > 0 && (broken || warnings ? "not set up yet" : "Not set up yet"),
                ]
                  .filter(Boolean)
                  .join(", ")}
              </Text>
            </Group>
            <Stack component="ul" gap={0} m={0} p={0} style={{ listStyle: "none" }} aria-label="What is broken">
              {state.troubles.map((trouble) => (
                <Trouble key={`${trouble.kind} ${trouble.subject} ${trouble.text}`} trouble={trouble} />
              ))}
            </Stack>
          </>
        )}
        <SimpleGrid
          component="ul"
          cols={{ base: 1, xs: 2, md: 3 }}
          spacing="lg"
          verticalSpacing={6}
          m={0}
          p={0}
          style={{ listStyle: "none" }}
          aria-label="What was checked"
        >
          {state.checks.map((check) => (
            <Group component="li" key={check.name} gap={8} wrap="nowrap" align="flex-start">
              {check.well ? (
                <IconCheck
                  size={15}
                  color="light-dark(var(--mantine-color-green-7), var(--mantine-color-green-4))"
                  aria-label="well"
                  style={{ flexShrink: 0, marginTop: 2 }}
                />
              ) : check.well === null ? (
                <IconMinus
                  size={15}
                  color="var(--mantine-color-dimmed)"
                  aria-label="nothing yet"
                  style={{ flexShrink: 0, marginTop: 2 }}
                />
              ) : (
                <IconAlertTriangle
                  size={15}
                  color="light-dark(var(--mantine-color-yellow-7), var(--mantine-color-yellow-4))"
                  aria-label="not well"
                  style={{ flexShrink: 0, marginTop: 2 }}
                />
              )}
              <Text size="sm">
                {check.name}:{" "}
                <Text span c="dimmed" inherit>
                  {check.found}
                </Text>
              </Text>
            </Group>
          ))}
        </SimpleGrid>
      </Stack>
    </Panel>
  );
}

function Trouble({ trouble }: { trouble: State["troubles"][number] }) {
  return (
    <Group
      component="li"
      justify="space-between"
      align="flex-start"
      gap="sm"
      py={10}
      style={{ borderTop: "1px solid var(--oc-hairline)" }}
    >
      <Group gap="sm" align="flex-start" flex="1 1 300px" wrap="nowrap">
        <div style={{ width: 76, flexShrink: 0, paddingTop: 2 }}>
          <StatusDot {...SEVERITIES[trouble.severity]} />
        </div>
        <Stack gap={0} miw={0}>
          <Text size="sm" fw={560}>
            {trouble.subject}
          </Text>
          <Text size="sm" c="dimmed">
            {trouble.text}
            {trouble.since && (
              <>
                {" "}
                Since <TimeAgo at={trouble.since} />.
              </>
            )}
          </Text>
        </Stack>
      </Group>
      <PathLink path={trouble.path} ml={{ base: 88, xs: 0 }}>{trouble.action}</PathLink>
    </Group>
  );
}
