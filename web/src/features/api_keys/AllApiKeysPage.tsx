/** Everybody's API keys, for administrators: who has which, what it may and when it was used; to be stopped. */
import { Stack } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { asApiError } from "@/api/request";
import type { ApiKey, OwnedApiKey } from "@/api/types";
import { PageHeader } from "@/ui/PageHeader";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { SearchField } from "@/ui/SearchField";
import { StaleNotice } from "@/ui/StaleNotice";

import { ApiKeyDialog } from "./ApiKeyDialog";
import { ApiKeysTable } from "./ApiKeysTable";
import { allApiKeysQuery } from "./queries";
import { RevokeApiKeyDialog } from "./RevokeApiKeyDialog";

export function AllApiKeysPage() {
  const keys = useQuery(allApiKeysQuery);
  const [search, setSearch] = useState("");
  const [editing, setEditing] = useState<ApiKey | OwnedApiKey | null>(null);
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  const wanted = search.trim().toLowerCase();
  const found = keys.data?.filter((key) =>
    [key.name, key.team_name ?? key.user_email, key.preview, ...key.tags].some((text) => text.toLowerCase().includes(wanted)),
  );
  return (
    <>
      <PageHeader
        title="All API Keys"
        description="Everybody's keys, with what each may do and what it was used for. Revoking one ends it at once."
      />
      <Stack gap="md">
        <SearchField
          label="Search"
          placeholder="Name, owner or tag"
          atOnce
          maw={420}
          value={search}
          onSearch={setSearch}
        />
        <StaleNotice query={keys} />
        {keys.isError && !keys.data ? (
          <ProblemAlert
            error={asApiError(keys.error)}
            title="The keys could not be loaded"
            onRetry={() => void keys.refetch()}
          />
        ) : (
          <ApiKeysTable keys={found} withOwner searched={wanted !== ""} onEdit={setEditing} onRevoke={setRevoking} />
        )}
      </Stack>
      <ApiKeyDialog editing={editing} onClose={() => setEditing(null)} />
      <RevokeApiKeyDialog apiKey={revoking} onClose={() => setRevoking(null)} />
    </>
  );
}
