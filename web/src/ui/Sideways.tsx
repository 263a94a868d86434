/** What may be wider than its place scrolls in it, by keyboard too, and shows at its edge that it goes on. */
import type { ReactNode } from "react";

interface SidewaysProps {
  label: string;
  /** Pixels that the content needs. */
  width: number;
  children: ReactNode;
}

export function Sideways({ label, width, children }: SidewaysProps) {
  return (
    <div className="oc-sideways" role="region" aria-label={label} tabIndex={0}>
      <div style={{ minWidth: width }}>{children}</div>
    </div>
  );
}
