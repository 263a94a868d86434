/** One draft: what it changes, what its replay has shown, and its two ends: published or thrown away. */
import { Alert, Button, Checkbox, Grid, Group, List, Modal, Skeleton, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconArrowLeft } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { asApiError } from "@/api/request";
import type { RoutingDraft } from "@/api/types";
import { ChangeList } from "@/features/routing_versions/ChangeList";
import { useMay } from "@/features/session/queries";
import { BusyButton } from "@/ui/BusyButton";
import { Panel } from "@/ui/Panel";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { DraftForm } from "./DraftForm";
import { draftQuery, usePublish, useThrowAway } from "./queries";
import { ReplayPanel } from "./ReplayPanel";

export function DraftView({ id, onClose }: { id: string; onClose: () => void }) {
  const query = useQuery(draftQuery(id));
  const writes = useMay("write gateway");
  return (
    <Stack gap="md">
      <Button
        variant="subtle"
        size="compact-sm"
        leftSection={<IconArrowLeft size={14} />}
        onClick={onClose}
        style={{ alignSelf: "flex-start" }}
      >
        All Drafts
      </Button>
      {query.isPending && <Skeleton height={360} />}
      {query.isError && !query.data && (
        <ProblemAlert
          error={asApiError(query.error)}
          title="The draft could not be loaded"
          onRetry={() => void query.refetch()}
        />
      )}
      {query.data && (
        <Grid gap="md">
          <Grid.Col span={{ base: 12, lg: 5 }}>
            <Stack gap="md">
              <Panel title={query.data.name} description="What is to be otherwise. All else follows what is live.">
                <DraftForm draft={query.data} disabled={!writes} />
              </Panel>
              <Differences draft={query.data} writes={writes} onClose={onClose} />
            </Stack>
          </Grid.Col>
          <Grid.Col span={{ base: 12, lg: 7 }}>
            <ReplayPanel draft={query.data} disabled={!writes} />
          </Grid.Col>
        </Grid>
      )}
    </Stack>
  );
}

function Differences({ draft, writes, onClose }: { draft: RoutingDraft; writes: boolean; onClose: () => void }) {
  const [publishing, setPublishing] = useState(false);
  const throwAway = useThrowAway(draft.id);
  return (
    <Panel title="Against What Is Live">
      <Stack gap="md">
        <ChangeList
          changes={draft.differences}
          total={draft.differences_total}
          nothing="Nothing: this draft would change nothing."
        />
        {throwAway.isError && (
          <ProblemAlert error={asApiError(throwAway.error)} title="The draft was not thrown away" />
        )}
        {writes && (
          <Group>
            <Button disabled={draft.differences_total === 0} onClick={() => setPublishing(true)}>
              Publish…
            </Button>
            <BusyButton
              variant="default"
              busy={throwAway.isPending}
              onClick={() => throwAway.mutate(undefined, { onSuccess: onClose })}
            >
              Throw Away
            </BusyButton>
          </Group>
        )}
      </Stack>
      <Modal
        opened={publishing}
        onClose={() => setPublishing(false)}
        title={`Publish “${draft.name}”?`}
        closeButtonProps={{ "aria-label": "Close" }}
      >
        <Publish draft={draft} onCancel={() => setPublishing(false)} onDone={onClose} />
      </Modal>
    </Panel>
  );
}

interface PublishProps {
  draft: RoutingDraft;
  onCancel: () => void;
  onDone: () => void;
}

function Publish({ draft, onCancel, onDone }: PublishProps) {
  const publish = usePublish(draft.id);
  const [accepted, setAccepted] = useState(false);
  const incomplete = draft.lost.length > 0;
  return (
    <Stack gap="md">
      <Text size="sm">
        Traffic follows at once. It becomes a version of the routing history, from which you can return.
      </Text>
      <ChangeList changes={draft.differences} total={draft.differences_total} nothing="Nothing would change." />
      {incomplete && (
        <Alert color="yellow" title="Not all of it can be published">
          <List size="sm" mb="sm">
            {draft.lost.map((sentence) => (
              <List.Item key={sentence}>{sentence}</List.Item>
            ))}
          </List>
          <Checkbox
            label="Publish the rest"
            checked={accepted}
            onChange={(event) => setAccepted(event.currentTarget.checked)}
          />
        </Alert>
      )}
      {publish.isError && <ProblemAlert error={asApiError(publish.error)} title="Nothing was published" />}
      <Group justify="flex-end">
        <Button variant="default" onClick={onCancel} data-autofocus>
          Cancel
        </Button>
        <BusyButton
          busy={publish.isPending}
          disabled={incomplete && !accepted}
          onClick={() =>
            publish.mutate(incomplete, {
              onSuccess: (made) => {
                notifications.show({ message: `Published: version ${made.version} holds now.` });
                onDone();
              },
            })
          }
        >
          Publish
        </BusyButton>
      </Group>
    </Stack>
  );
}
