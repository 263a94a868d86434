/** What a request asked and was answered, where it is kept; looked at on purpose, for each look is audited. */
import { Button, Code, Group, Skeleton, Stack, Text, Title } from "@mantine/core";
import { IconDownload, IconEye } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useId, useState } from "react";

import { asApiError } from "@/api/request";
import type { KeptBody, RequestBodies, RequestDetail } from "@/api/types";
import { useMay } from "@/features/session/queries";
import { absoluteTime } from "@/format/format";
import { PathLink } from "@/ui/PathLink";
import { ProblemAlert } from "@/ui/ProblemAlert";

import { removedParts } from "./bodies";
import { bodiesQuery } from "./queries";

export function BodiesPart({ request }: { request: RequestDetail }) {
  const isAdmin = useMay("manage settings");
  const [isOpen, setOpen] = useState(false);
  if (!request.bodies_kept) {
    return (
      <Text size="sm" c="dimmed">
        They are not kept.{" "}
        {isAdmin ? (
          <>
            Storing them, redacted, is switched on in the <PathLink path="/admin/settings">settings</PathLink>, for requests from then
            on.
          </>
        ) : (
          "An admin can switch storing on, for requests from then on."
        )}
      </Text>
    );
  }
  if (!isAdmin) {
    return (
      <Text size="sm" c="dimmed">
        They are kept, and shown to admins only.
      </Text>
    );
  }
  return (
    <Stack gap="md">
      {isOpen && <Shown id={request.id} />}
      <Group gap="sm">
        {!isOpen && (
          <Button variant="default" size="xs" leftSection={<IconEye size={14} />} onClick={() => setOpen(true)}>
            Show Prompt and Answer
          </Button>
        )}
        <Button
          component="a"
          variant="default"
          size="xs"
          leftSection={<IconDownload size={14} />}
          href={`/api/v1/llm/requests/${encodeURIComponent(request.id)}/bundle?bodies=true`}
          download
        >
          Bundle with Both
        </Button>
        <Text size="xs" c="dimmed">
          Each look is in the audit log, and so is a bundle with them.
        </Text>
      </Group>
    </Stack>
  );
}

function Shown({ id }: { id: string }) {
  const query = useQuery(bodiesQuery(id));
  if (query.isPending) return <Skeleton height={160} />;
  if (query.isError) {
    return (
      <ProblemAlert
        error={asApiError(query.error)}
        title="Prompt and answer could not be loaded"
        onRetry={() => void query.refetch()}
      />
    );
  }
  return (
    <Stack gap="md">
      <Body title="Prompt" body={query.data.request} />
      <Body title="Answer" body={query.data.answer} />
      <Text size="xs" c="dimmed">
        {removedOf(query.data)} They are deleted on {absoluteTime(query.data.deleted_at)}.
      </Text>
    </Stack>
  );
}

function removedOf({ removed }: RequestBodies): string {
  const parts = removedParts(removed);
  return parts ? `Taken out: ${parts}.` : "Nothing had to be taken out.";
}

/** `children`: what is shown in place of the whole content. */
export function Body({ title, body, children }: { title: string; body: KeptBody; children?: string }) {
  const id = useId();
  const text = children ?? (typeof body.content === "string" ? body.content : JSON.stringify(body.content, null, 2));
  return (
    <div>
      <Title order={3} id={id} fz="sm" mb={4}>
        {title}
      </Title>
      <Code
        block
        tabIndex={0}
        role="region"
        aria-labelledby={id}
        bg="var(--oc-surface)"
        bd="1px solid var(--mantine-color-default-border)"
        style={{ maxHeight: 420, overflow: "auto", whiteSpace: "pre-wrap", overflowWrap: "anywhere" }}
      >
        {text}
      </Code>
      {!body.complete && (
        <Text size="xs" c="dimmed" mt={4}>
          Not all of it: it was longer than what is kept, or no text.
        </Text>
      )}
    </div>
  );
}
