/** A link to a page of the console whose address the API gave, query and all. */
import { Anchor, type AnchorProps } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

interface PathLinkProps extends AnchorProps {
  path: string;
  children: ReactNode;
}

export function PathLink({ path, children, ...props }: PathLinkProps) {
  const [to = "/admin", query = ""] = path.split("?");
  // What an address may hold is each page's own business; it reads what it knows and leaves the rest.
  const search = Object.fromEntries(new URLSearchParams(query)) as never;
  return (
    <Anchor size="sm" {...props} renderRoot={(root) => <Link {...root} to={to} search={search} />}>
      {children}
    </Anchor>
  );
}
