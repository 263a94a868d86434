/** What was done, in words: the actions of versions as a person reads them. */
const ACTIONS: Record<string, string> = {
  "routing.update": "Routing rules",
  "routing.rollback": "Return",
  "routing.publish": "Draft published",
  "provider.create": "Provider added",
  "provider.update": "Provider changed",
  "provider.delete": "Provider deleted",
  "provider.prioritise": "Priorities changed",
  "model.create": "Model added",
  "model.update": "Model changed",
  "model.switch": "Models switched",
  "model.delete": "Model removed",
  "alias.update": "Alias changed",
  "alias.delete": "Alias taken back",
  "settings.update": "Power levels",
  start: "Found at the start",
  discovery: "Model list read",
};

export function actionLabel(action: string, restoredFrom: number | null): string {
  const label = ACTIONS[action] ?? action;
  return restoredFrom === null ? label : `${label} to version ${restoredFrom}`;
}
