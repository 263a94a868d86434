/** A figure that leads to the requests behind it. */
import { Anchor, type AnchorProps } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

import type { ExplorePoint } from "@/api/types";

import { requestsBehind } from "./filters";

interface RequestsLinkProps extends AnchorProps {
  /** As the API gives it beside a figure. */
  requests: string;
  /** Narrows to one point of it. */
  point?: ExplorePoint;
  title?: string;
  children: ReactNode;
}

export function RequestsLink({ requests, point, children, ...props }: RequestsLinkProps) {
  const search = requestsBehind(requests, point);
  return (
    <Anchor
      size="sm"
      underline="hover"
      {...props}
      renderRoot={(root) => <Link {...root} to="/admin/requests" search={search} />}
    >
      {children}
    </Anchor>
  );
}
