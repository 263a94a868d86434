/** What a new password has to be; the server says the same. */
const SHORTEST = 12;

export const PASSWORD_RULE = `At least ${SHORTEST} characters`;

export const passwordProblem = (value: string): string | null => (value.length < SHORTEST ? PASSWORD_RULE : null);
