/** Time machine: drafts of a policy, and what recorded requests would have made of them. */
import { Anchor, Badge, Button, Group, Modal, Stack, TextInput } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState, type FormEvent } from "react";

import { asApiError } from "@/api/request";
import type { RoutingDraftSummary } from "@/api/types";
import { useMay } from "@/features/session/queries";
import { BusyButton } from "@/ui/BusyButton";
import { EmptyState } from "@/ui/EmptyState";
import { PageHeader } from "@/ui/PageHeader";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { Table } from "@/ui/Table";
import { TimeAgo } from "@/ui/TimeAgo";

import { DraftView } from "./DraftView";
import { draftsQuery, useCreateDraft } from "./queries";

const REPLAYED = { running: "Replaying", done: "Replayed", failed: "Replay failed" } as const;

export function TimeMachinePage() {
  const { draft } = useSearch({ from: "/signed-in/admin/time-machine" });
  const navigate = useNavigate({ from: "/admin/time-machine" });
  const writes = useMay("write gateway");
  const [naming, setNaming] = useState(false);
  const open = (id: string | undefined): void => void navigate({ search: { draft: id } });
  return (
    <>
      <PageHeader
        title="Time Machine"
        description={
          <>
            Change the policy in a draft and replay the last days of requests through it, before anybody follows it.
            What was changed for real stands in the{" "}
            <Anchor component={Link} to="/admin/routing-history" inherit>
              routing history
            </Anchor>
            .
          </>
        }
        action={
          writes && !draft ? (
            <Button leftSection={<IconPlus size={16} />} onClick={() => setNaming(true)}>
              New Draft
            </Button>
          ) : undefined
        }
      />
      {draft ? <DraftView key={draft} id={draft} onClose={() => open(undefined)} /> : <Drafts onOpen={open} />}
      <Modal
        opened={naming}
        onClose={() => setNaming(false)}
        title="New Draft"
        closeButtonProps={{ "aria-label": "Close" }}
      >
        <NewDraft
          onClose={() => setNaming(false)}
          onMade={(id) => {
            setNaming(false);
            open(id);
          }}
        />
      </Modal>
    </>
  );
}

function Drafts({ onOpen }: { onOpen: (id: string) => void }) {
  const drafts = useQuery(draftsQuery);
  if (drafts.isError && !drafts.data) {
    return (
      <ProblemAlert
        error={asApiError(drafts.error)}
        title="The drafts could not be loaded"
        onRetry={() => void drafts.refetch()}
      />
    );
  }
  return (
    <Table<RoutingDraftSummary>
      label="Drafts"
      records={drafts.data}
      fetching={drafts.isPending}
      empty={
        <EmptyState title="No draft">
          A draft changes nothing until it is published. Make one, change strategy, priorities or aliases in it, and see
          what it would have cost.
        </EmptyState>
      }
      columns={[
        {
          accessor: "name",
          title: "Draft",
          render: (row) => (
            <Anchor component="button" type="button" size="sm" onClick={() => onOpen(row.id)}>
              {row.name}
            </Anchor>
          ),
        },
        {
          accessor: "replay_status",
          title: "Replay",
          noWrap: true,
          render: (row) =>
            row.replay_status ? <Badge variant="light">{REPLAYED[row.replay_status]}</Badge> : "Not replayed yet",
        },
        { accessor: "created_by_email", title: "By" },
        { accessor: "updated_at", title: "Changed", noWrap: true, render: (row) => <TimeAgo at={row.updated_at} /> },
      ]}
    />
  );
}

function NewDraft({ onMade, onClose }: { onMade: (id: string) => void; onClose: () => void }) {
  const create = useCreateDraft();
  const [name, setName] = useState("");
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (name.trim() && !create.isPending) create.mutate(name, { onSuccess: (draft) => onMade(draft.id) });
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <TextInput
          label="Name"
          placeholder="Cheaper at night"
          maxLength={100}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          data-autofocus
        />
        {create.isError && <ProblemAlert error={asApiError(create.error)} title="The draft was not made" />}
        <Group justify="flex-end">
          <Button variant="default" type="button" onClick={onClose}>
            Cancel
          </Button>
          <BusyButton type="submit" busy={create.isPending} disabled={!name.trim()}>
            Make Draft
          </BusyButton>
        </Group>
      </Stack>
    </form>
  );
}
