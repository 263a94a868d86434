/** One version of routing: what it changed, what has changed since, all of it, and the way back. */
import { Badge, Button, Code, Drawer, Group, ScrollArea, Skeleton, Stack, Text, Title } from "@mantine/core";
import { IconArrowBackUp } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";

import { asApiError } from "@/api/request";
import { useMay } from "@/features/session/queries";
import { absoluteTime } from "@/format/format";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { ChangeList } from "./ChangeList";
import { versionQuery } from "./queries";
import { RollbackDialog } from "./RollbackDialog";
import { actionLabel } from "./words";

interface VersionDrawerProps {
  version: number | undefined;
  onClose: () => void;
  onReturned: (version: number) => void;
}

export function VersionDrawer({ version, onClose, onReturned }: VersionDrawerProps) {
  return (
    <Drawer
      opened={version !== undefined}
      onClose={onClose}
      position="right"
      size="lg"
      title={`Version ${version ?? ""}`}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {version !== undefined && <Details key={version} version={version} onReturned={onReturned} />}
    </Drawer>
  );
}

function Details({ version, onReturned }: { version: number; onReturned: (version: number) => void }) {
  const query = useQuery(versionQuery(version));
  const writes = useMay("write gateway");
  const [returning, setReturning] = useState(false);
  const [whole, setWhole] = useState(false);
  if (query.isPending) return <Skeleton height={280} />;
  if (query.isError) {
    return (
      <ProblemAlert
        error={asApiError(query.error)}
        title="The version could not be loaded"
        onRetry={() => void query.refetch()}
      />
    );
  }
  const it = query.data;
  return (
    <Stack gap="lg">
      <Stack gap={4}>
        <Group gap="xs">
          <Text size="sm">
            {actionLabel(it.action, it.restored_from)} by {it.created_by_email || "the server"}
          </Text>
          {it.current && <Badge variant="light">In force</Badge>}
        </Group>
        <Text size="sm" c="dimmed">
          {absoluteTime(it.created_at)}
        </Text>
      </Stack>
      <Section title={it.previous === null ? "What it began with" : `What changed after version ${it.previous}`}>
        <ChangeList
          changes={it.changes}
          total={Math.max(it.changes_total, it.changes.length)}
          nothing="Nothing that was kept."
        />
      </Section>
      {!it.current && (
        <Section title="What has changed since">
          <ChangeList
            changes={it.since}
            total={it.since_total}
            nothing="Nothing: everything is as it was under this version."
          />
        </Section>
      )}
      {!it.complete && (
        <Text size="sm" c="dimmed">
          An older release kept only the rules of this version.
        </Text>
      )}
      {it.rollback && writes && (
        <>
          <Button
            leftSection={<IconArrowBackUp size={16} />}
            style={{ alignSelf: "flex-start" }}
            onClick={() => setReturning(true)}
          >
            Return to This Version
          </Button>
          <RollbackDialog
            version={version}
            rollback={it.rollback}
            opened={returning}
            onClose={() => setReturning(false)}
            onDone={(made) => {
              setReturning(false);
              onReturned(made);
            }}
          />
        </>
      )}
      <Section title="All of it">
        <Button
          variant="default"
          size="xs"
          aria-expanded={whole}
          onClick={() => setWhole((before) => !before)}
          style={{ alignSelf: "flex-start" }}
        >
          {whole ? "Hide" : "Show"} the configuration
        </Button>
        {whole && (
          <ScrollArea.Autosize mah={420} type="auto" viewportProps={{ tabIndex: 0, role: "region", "aria-label": "Configuration" }}>
            <Code block>{JSON.stringify(it.configuration, null, 2)}</Code>
          </ScrollArea.Autosize>
        )}
      </Section>
    </Stack>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Stack gap="xs">
      <Title order={3}>{title}</Title>
      {children}
    </Stack>
  );
}
