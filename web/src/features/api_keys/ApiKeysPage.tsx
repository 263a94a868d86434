/** One's own API keys. */
import { Button, Stack } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";

import { asApiError } from "@/api/request";
import type { ApiKey, NewApiKey } from "@/api/types";
import { useMay } from "@/features/session/queries";
import { useFreshFigures } from "@/features/usage/useFreshFigures";
import { PageHeader } from "@/ui/PageHeader";
import { ProblemAlert } from "@/ui/ProblemAlert";
import { StaleNotice } from "@/ui/StaleNotice";

import { ApiKeyDialog } from "./ApiKeyDialog";
import { ApiKeysTable } from "./ApiKeysTable";
import { ownApiKeysQuery } from "./queries";
import { RevokeApiKeyDialog, RotateApiKeyDialog } from "./RevokeApiKeyDialog";
import { SecretDialog } from "./SecretDialog";

export function ApiKeysPage() {
  const search = useSearch({ from: "/signed-in/account/api-keys" });
  const navigate = useNavigate({ from: "/account/api-keys" });
  const creates = useMay("create keys");
  useFreshFigures();
  const [fresh, setFresh] = useState<NewApiKey | null>(null);
  const [editing, setEditing] = useState<ApiKey | null>(null);
  const [revoking, setRevoking] = useState<ApiKey | null>(null);
  const [rotating, setRotating] = useState<ApiKey | null>(null);
  const showCreate = (create: boolean): void =>
    void navigate({ search: { create: create ? "1" : undefined }, replace: true });
  return (
    <>
      <PageHeader
        title="API Keys"
        description="Keys for programs. Point any OpenAI or Anthropic client at this address and use one of these as its key."
        action={
          creates && (
            <Button leftSection={<IconPlus size={16} />} onClick={() => showCreate(true)}>
              Create API Key
            </Button>
          )
        }
      />
      <OwnKeys
        onCreate={() => showCreate(true)}
        onEdit={creates ? setEditing : undefined}
        onRevoke={setRevoking}
        onRotate={setRotating}
      />
      <ApiKeyDialog
        editing={creates && search.create !== undefined ? "new" : null}
        onClose={() => showCreate(false)}
        onCreated={setFresh}
      />
      <ApiKeyDialog editing={editing} onClose={() => setEditing(null)} />
      <RevokeApiKeyDialog apiKey={revoking} onClose={() => setRevoking(null)} />
      <RotateApiKeyDialog apiKey={rotating} onClose={() => setRotating(null)} onRotated={setFresh} />
      <SecretDialog fresh={fresh} onClose={() => setFresh(null)} />
    </>
  );
}

interface OwnKeysProps {
  onCreate: () => void;
  onEdit?: (key: ApiKey) => void;
  onRevoke: (key: ApiKey) => void;
  onRotate: (key: ApiKey) => void;
}

function OwnKeys({ onCreate, onEdit, onRevoke, onRotate }: OwnKeysProps) {
  const keys = useQuery(ownApiKeysQuery);
  return (
    <Stack gap="md">
      <StaleNotice query={keys} />
      {keys.isError && !keys.data ? (
        <ProblemAlert
          error={asApiError(keys.error)}
          title="Your keys could not be loaded"
          onRetry={() => void keys.refetch()}
        />
      ) : (
        <ApiKeysTable keys={keys.data?.api_keys} onCreate={onCreate} onEdit={onEdit} onRevoke={onRevoke} onRotate={onRotate} />
      )}
    </Stack>
  );
}
