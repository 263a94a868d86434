/** The views of a page: opened, saved, changed; and what the page opens with. */
import { Alert, Button, Menu, Text } from "@mantine/core";
import { IconBookmark, IconChevronDown, IconStarFilled, IconUsers } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";

import type { SavedView, ViewPage } from "@/api/types";

import { ManageViewsDialog } from "./ManageViewsDialog";
import { isEmpty, isSame, savedViewsQuery, searchOf, useChangeView, type ViewSearch } from "./queries";
import { SaveViewDialog } from "./SaveViewDialog";

interface SavedViewsProps {
  page: ViewPage;
  /** What the page shows, as a view would keep it. */
  shown: ViewSearch;
  /** The view that was opened last, as the address has it. */
  saved: string | undefined;
  /** Puts what a view keeps in the address, with its id; nothing at all without one. */
  onOpen: (search: ViewSearch & { saved?: string }, replace?: boolean) => void;
}

export function SavedViews({ page, shown, saved, onOpen }: SavedViewsProps) {
  const views = useQuery(savedViewsQuery(page)).data;
  const change = useChangeView(page);
  const [dialog, setDialog] = useState<"save" | "manage" | null>(null);
  const button = useRef<HTMLButtonElement>(null);
  // The entry of the menu will be gone when the dialog closes: the focus goes back to the button.
  const openDialog = (which: "save" | "manage"): void => {
    button.current?.focus();
    setDialog(which);
  };
  useDefaultView(views, shown, saved, onOpen);
  const current = views?.find((view) => view.id === saved);
  const isChanged = current !== undefined && !isSame(searchOf(current), shown);
  return (
    <>
      <Menu position="bottom-end" width={280}>
        <Menu.Target>
          <Button
            ref={button}
            variant="default"
            leftSection={<IconBookmark size={16} />}
            rightSection={<IconChevronDown size={14} />}
            maw={240}
          >
            {current ? `${current.name}${isChanged ? " (changed)" : ""}` : "Views"}
          </Button>
        </Menu.Target>
        <Menu.Dropdown mah={420} style={{ overflowY: "auto" }}>
          {views?.length === 0 && (
            <Text size="sm" c="dimmed" px="sm" py={6}>
              Nothing is saved yet. Filter the page, then keep what it shows under a name.
            </Text>
          )}
          {views?.map((view) => (
            <Menu.Item
              key={view.id}
              fw={view.id === saved ? 600 : undefined}
              aria-current={view.id === saved || undefined}
              rightSection={<Marks view={view} />}
              onClick={() => onOpen({ ...searchOf(view), saved: view.id })}
            >
              {view.name}
            </Menu.Item>
          ))}
          {views && views.length > 0 && (saved !== undefined || !isEmpty(shown)) && (
            <Menu.Item c="dimmed" onClick={() => onOpen({})}>
              Without a view
            </Menu.Item>
          )}
          <Menu.Divider />
          {current?.may_change && isChanged && (
            <Menu.Item onClick={() => change.mutate({ id: current.id, query: shown })}>
              Save changes to {current.name}
            </Menu.Item>
          )}
          <Menu.Item onClick={() => openDialog("save")}>Save as a view…</Menu.Item>
          {views && views.length > 0 && <Menu.Item onClick={() => openDialog("manage")}>Manage views…</Menu.Item>}
        </Menu.Dropdown>
      </Menu>
      <SaveViewDialog
        page={page}
        shown={shown}
        opened={dialog === "save"}
        onClose={() => setDialog(null)}
        onSaved={(view) => {
          setDialog(null);
          onOpen({ ...searchOf(view), saved: view.id }, true);
        }}
      />
      <ManageViewsDialog page={page} opened={dialog === "manage"} onClose={() => setDialog(null)} />
    </>
  );
}

function Marks({ view }: { view: SavedView }) {
  return (
    <>
      {view.is_default && <IconStarFilled size={13} role="img" aria-label="opens by itself" />}{" "}
      {view.shared && <IconUsers size={14} role="img" aria-label="shared" />}
    </>
  );
}

/** A page that is opened without a word in its address shows the reader's default. */
function useDefaultView(
  views: SavedView[] | undefined,
  shown: ViewSearch,
  saved: string | undefined,
  onOpen: SavedViewsProps["onOpen"],
): void {
  const isFresh = useRef(saved === undefined && isEmpty(shown));
  useEffect(() => {
    if (!isFresh.current || !views) return;
    isFresh.current = false;
    const own = views.find((view) => view.is_default);
    if (own && saved === undefined && isEmpty(shown)) onOpen({ ...searchOf(own), saved: own.id }, true);
  }, [views, shown, saved, onOpen]);
}

const KINDS = { provider_id: "provider", user_id: "user", team_id: "team", api_key_id: "API key" } as const;

/** Says what of the open view's filters is gone. */
export function SavedViewNotice({ page, saved }: { page: ViewPage; saved: string | undefined }) {
  const view = useQuery(savedViewsQuery(page)).data?.find((one) => one.id === saved);
  if (!view || view.missing.length === 0) return null;
  const gone = view.missing.map(({ parameter, value }) => `the ${KINDS[parameter]} ${value}`).join(" and ");
  return (
    <Alert color="yellow" role="status" title={`${view.name} filters by something that is gone`}>
      {gone.charAt(0).toUpperCase() + gone.slice(1)} was deleted or revoked. What it did before is still shown; nothing
      new will come.
    </Alert>
  );
}
