import { violatedConstraint } from "../db/pool.ts";
import { ApiError, type Code } from "../http/errors.ts";

const refusals: Record<string, [Code, string]> = {
  users_email_is_unique: ["email_taken", "This email has an account already"],
  users_pending_email_is_unique: ["email_taken", "Someone else is about to take this email"],
  users_phone_number_is_unique: ["phone_taken", "This phone number has an account already"],
  identities_are_unique: ["identity_taken", "This identity is linked to an account already"],
};

/** For `.catch`: rethrows the error, as a refusal if it is that something is taken once. */
export function mapUniqueViolation(error: unknown): never {
  const refusal = refusals[violatedConstraint(error) ?? ""];
  throw refusal ? new ApiError(...refusal) : error;
}
