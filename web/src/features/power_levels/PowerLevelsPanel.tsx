/** User Power Levels: three tiers with target and measured price, what each picks now, and who has it. */
import { Badge, Button, Group, Paper, Select, SimpleGrid, Skeleton, Space, Stack, Text, Title } from "@mantine/core";
import { IconAdjustments, IconUsers } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useId, useState } from "react";

import { asApiError } from "@/api/request";
import type { PowerLevel, PowerLevelFigures, PowerLevels } from "@/api/types";
import { PicksNow } from "@/features/routing/PicksNow";
import { useMay } from "@/features/session/queries";
import { plural, pricePerMtok } from "@/format/format";
import { Panel } from "@/ui/Panel";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { StaleNotice } from "@/ui/StaleNotice";

import { LevelDialog } from "./LevelDialog";
import { powerLevelsQuery, useChangeLevels } from "./queries";

const NONE = "none";

export function PowerLevelsPanel() {
  const levels = useQuery(powerLevelsQuery);
  const administers = useMay("manage users");
  const [editing, setEditing] = useState<PowerLevelFigures | null>(null);
  return (
    <Panel
      title="User Power Levels"
      description="Quality and cost tiers for users: what their requests go by when they leave the model to the gateway."
      controls={
        administers && (
          <Button component={Link} to="/admin/users" size="xs" variant="default" leftSection={<IconUsers size={14} />}>
            Set Users&apos; Levels
          </Button>
        )
      }
    >
      <Stack gap="md">
        <StaleNotice query={levels} />
        {levels.isError && !levels.data && (
          <ProblemAlert
            error={asApiError(levels.error)}
            title="The power levels could not be loaded"
            onRetry={() => void levels.refetch()}
          />
        )}
        {levels.isPending && <Skeleton height={190} />}
        {levels.data && (
          <SimpleGrid cols={{ base: 1, md: 3 }} spacing="md">
            {levels.data.levels.map((level) => (
              <LevelCard key={level.level} level={level} onEdit={administers ? () => setEditing(level) : undefined} />
            ))}
          </SimpleGrid>
        )}
        {levels.data && <Bounds levels={levels.data} writable={administers} />}
      </Stack>
      <LevelDialog level={editing} onClose={() => setEditing(null)} />
    </Panel>
  );
}

function LevelCard({ level, onEdit }: { level: PowerLevelFigures; onEdit?: () => void }) {
  const heading = useId();
  const { rule } = level;
  const bounds = [
    rule.models?.length ? plural(rule.models.length, "chosen model") : null,
    rule.max_usd_mtok !== null && rule.max_usd_mtok !== undefined ? `up to ${pricePerMtok(rule.max_usd_mtok)}` : null,
    rule.min_score !== null && rule.min_score !== undefined ? `score from ${rule.min_score}` : null,
  ].filter(Boolean);
  return (
    <Paper component="article" aria-labelledby={heading} p="md">
      <Stack gap={6} h="100%">
        <Group justify="space-between" gap={4}>
          <Title order={3} id={heading} fz={15}>
            {level.name}
          </Title>
          <Badge color="gray" className="oc-figures">
            {plural(level.users, "user")}
          </Badge>
        </Group>
        <Text fz={20} fw={640} className="oc-figures">
          {pricePerMtok(level.target_usd_mtok)}
        </Text>
        <Text size="xs" c="dimmed" className="oc-figures">
          Target ·{" "}
          {level.measured_usd_mtok === null
            ? "nothing measured yet"
            : `measured ${pricePerMtok(level.measured_usd_mtok)} over 30 days`}
        </Text>
        <Text size="xs">
          Best for: {level.best_for}. {level.use_cases.join(", ")}.
        </Text>
        <Text size="xs" c="dimmed">
          Such as {level.example_models.join(", ")}
          {bounds.length > 0 && ` · narrowed to ${bounds.join(", ")}`}
        </Text>
        <PicksNow models={level.models} />
        {onEdit && <Space h={4} mt="auto" />}
        {onEdit && (
          <Button
            size="xs"
            variant="default"
            leftSection={<IconAdjustments size={14} />}
            aria-label={`Edit ${level.name}`}
            onClick={onEdit}
          >
            Edit Level
          </Button>
        )}
      </Stack>
    </Paper>
  );
}

function Bounds({ levels, writable }: { levels: PowerLevels; writable: boolean }) {
  const change = useChangeLevels();
  const names = levels.levels.map((level) => ({ value: level.level as string, label: level.name }));
  const follow = plural(levels.users_without_level, "user follows", "users follow");
  if (!writable) {
    return (
      <Text size="xs" c="dimmed">
        {follow} the routing strategy.
      </Text>
    );
  }
  return (
    <Stack gap={4}>
      <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="md">
        <Select
          label="Level of a new user"
          allowDeselect={false}
          data={[{ value: NONE, label: "None: as the routing strategy says" }, ...names]}
          value={levels.default ?? NONE}
          onChange={(value) => {
            if (value) change.mutate({ default: value === NONE ? null : (value as PowerLevel) });
          }}
        />
        <Select
          label="Highest level that users may choose"
          description="Unless an admin sets another for a user."
          inputWrapperOrder={["label", "input", "description", "error"]}
          allowDeselect={false}
          data={names}
          value={levels.maximum}
          onChange={(value) => {
            if (value) change.mutate({ maximum: value as PowerLevel });
          }}
        />
      </SimpleGrid>
      <Text size="xs" c={change.isError ? "red" : "dimmed"} role="status">
        {change.isPending
          ? "Saving…"
          : change.isError
            ? `Not saved: ${asApiError(change.error).message}`
            : change.isSuccess
              ? "Saved: in force for the next request."
              : `${follow} the routing strategy.`}
      </Text>
    </Stack>
  );
}
