import { violatedConstraint } from "../db/pool.ts";
import { ApiError, type Code } from "../http/errors.ts";

const problems: Record<string, [Code, string]> = {
  users_email_is_unique: ["email_taken", "This email already has an account"],
  users_pending_email_is_unique: ["email_taken", "Another user is changing to this email"],
  users_phone_number_is_unique: ["phone_taken", "This phone number already has an account"],
  identities_are_unique: ["identity_taken", "This identity is already linked to an account"],
};

/** For `.catch`: rethrows a violated unique constraint as an `ApiError`, and any other error unchanged. */
export function mapUniqueViolation(error: unknown): never {
  const problem = problems[violatedConstraint(error) ?? ""];
  throw problem ? new ApiError(...problem) : error;
}
