/** Teams: who shares a purse, what it has cost this month, and the keys that belong to each. */
import { Button, Group, Stack, Text } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { asApiError } from "@/api/request";
import type { ApiKey, NewApiKey, OwnedApiKey, Team } from "@/api/types";
import { ApiKeyDialog } from "@/features/api_keys/ApiKeyDialog";
import { ApiKeysTable } from "@/features/api_keys/ApiKeysTable";
import { RevokeApiKeyDialog, RotateApiKeyDialog } from "@/features/api_keys/RevokeApiKeyDialog";
import { SecretDialog } from "@/features/api_keys/SecretDialog";
import { allApiKeysQuery } from "@/features/api_keys/queries";
import { POLICIES } from "@/features/provider_keys/policies";
import { useSystem } from "@/features/session/queries";
import { dateOnly, estimatedPart, money, moneyExact, plural } from "@/format/format";
import { EmptyState } from "@/ui/EmptyState";
import { PageHeader } from "@/ui/PageHeader";
import { Panel } from "@/ui/Panel";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { StaleNotice } from "@/ui/StaleNotice";
import { Table } from "@/ui/Table";

import { DeleteTeamDialog } from "./DeleteTeamDialog";
import { teamsQuery } from "./queries";
import { TeamDialog } from "./TeamDialog";

export function TeamsPage() {
  const query = useQuery(teamsQuery);
  const teams = query.data?.teams;
  const zone = useSystem()?.time_zone;
  const [editing, setEditing] = useState<Team | "new" | null>(null);
  const [deleting, setDeleting] = useState<Team | null>(null);
  const add = (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setEditing("new")}>
      Add Team
    </Button>
  );
  return (
    <>
      <PageHeader
        title="Teams"
        description="Who shares a purse. A team can have budgets, a policy over own keys, and keys of its own."
        action={add}
      />
      <Stack gap="lg">
        <StaleNotice query={query} />
        {query.isError && !query.data ? (
          <ProblemAlert
            error={asApiError(query.error)}
            title="The teams could not be loaded"
            onRetry={() => void query.refetch()}
          />
        ) : (
          <Table<Team>
            label="Teams"
            records={teams}
            fetching={query.isPending}
            empty={
              <EmptyState title="No team yet" action={{ label: "Add the first team", onClick: () => setEditing("new") }}>
                Users without one spend on their own account.
              </EmptyState>
            }
            columns={[
              {
                accessor: "name",
                title: "Team",
                render: (team) => (
                  <Stack gap={0} miw={140}>
                    <Text size="sm" fw={560}>
                      {team.name}
                    </Text>
                    {team.byok_policy && (
                      <Text size="xs" c="dimmed">
                        {POLICIES.find(({ value }) => value === team.byok_policy)?.label}
                      </Text>
                    )}
                  </Stack>
                ),
              },
              {
                accessor: "members",
                title: "Members",
                render: ({ members }) => (
                  <Text size="sm" miw={160} title={members.map(({ email }) => email).join("\n")}>
                    {members.length <= 3
                      ? members.map(({ email }) => email).join(", ") || "nobody"
                      : plural(members.length, "member")}
                  </Text>
                ),
              },
              { accessor: "service_keys", title: "Service keys", textAlign: "right" },
              {
                accessor: "month_cost_usd",
                title: query.data ? `Since ${dateOnly(query.data.month_start_at, zone)}` : "This month",
                textAlign: "right",
                render: (team) => (
                  <Stack gap={0}>
                    <Text size="sm" title={moneyExact(team.month_cost_usd)}>
                      {money(team.month_cost_usd)}
                    </Text>
                    <Text size="xs" c="dimmed">
                      {plural(team.month_requests, "request")}
                      {team.month_estimated_share > 0 && `, ${estimatedPart(team.month_estimated_share)}`}
                      {team.month_unknown_cost_requests > 0 && `, ${team.month_unknown_cost_requests} of unknown cost`}
                    </Text>
                  </Stack>
                ),
              },
              {
                accessor: "actions",
                title: "Actions",
                textAlign: "right",
                render: (team) => (
                  <Group gap={6} justify="flex-end" wrap="nowrap">
                    <Button
                      size="compact-xs"
                      variant="default"
                      aria-label={`Edit ${team.name}`}
                      onClick={() => setEditing(team)}
                    >
                      Edit
                    </Button>
                    <Button
                      size="compact-xs"
                      variant="light"
                      color="red"
                      aria-label={`Delete ${team.name}`}
                      onClick={() => setDeleting(team)}
                    >
                      Delete
                    </Button>
                  </Group>
                ),
              },
            ]}
          />
        )}
        {teams && teams.length > 0 && <ServiceKeys teams={teams} />}
      </Stack>
      <TeamDialog editing={editing} teams={teams ?? []} onClose={() => setEditing(null)} />
      <DeleteTeamDialog team={deleting} onClose={() => setDeleting(null)} />
    </>
  );
}

/** Keys that belong to a team and to no user. */
function ServiceKeys({ teams }: { teams: Team[] }) {
  const keys = useQuery(allApiKeysQuery);
  const [editing, setEditing] = useState<ApiKey | OwnedApiKey | "new" | null>(null);
  const [fresh, setFresh] = useState<NewApiKey | null>(null);
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  const [rotating, setRotating] = useState<ApiKey | null>(null);
  return (
    <Panel
      title="Service Keys"
      description="For what runs by itself: they belong to a team, and go on working when whoever made them leaves."
      controls={
        <Button variant="default" leftSection={<IconPlus size={16} />} onClick={() => setEditing("new")}>
          Create Service Key
        </Button>
      }
    >
      {keys.isError && !keys.data ? (
        <ProblemAlert
          error={asApiError(keys.error)}
          title="The keys could not be loaded"
          onRetry={() => void keys.refetch()}
        />
      ) : (
        <ApiKeysTable
          keys={keys.data?.filter(({ team_id }) => team_id !== null)}
          withOwner
          onEdit={setEditing}
          onRevoke={setRevoking}
          onRotate={setRotating}
        />
      )}
      <ApiKeyDialog editing={editing} onClose={() => setEditing(null)} onCreated={setFresh} teams={teams} />
      <RevokeApiKeyDialog apiKey={revoking} onClose={() => setRevoking(null)} />
      <RotateApiKeyDialog apiKey={rotating} onClose={() => setRotating(null)} onRotated={setFresh} />
      <SecretDialog fresh={fresh} onClose={() => setFresh(null)} />
    </Panel>
  );
}
