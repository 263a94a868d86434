/** What the axes of every chart over time have in common. */

/** Labels at even distances, the first one always among them. */
export const X_AXIS = { interval: "equidistantPreserveStart", minTickGap: 28 } as const;

/** Room above the topmost line, so that its label stands beside it like the others. */
export const MARGIN = { top: 10, right: 10 };
