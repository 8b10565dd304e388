/** Errors as the admin API answers them. */
import { described, record, text } from '../../schema/json-schema.ts';

const error = record({ error: text });

/** `why`: when the API answers so. */
export function refusal(why: string): object {
  return described(error, why);
}

/** Answers that every guarded route may give. */
export const refusals: Readonly<Record<number, object>> = {
  401: refusal('The admin token is missing or wrong.'),
};

export const apiRefusals: Readonly<Record<number, object>> = {
  ...refusals,
  400: refusal('A parameter or the body is not as described.'),
  403: refusal('Refused for this Host or Origin, or without admin.token_file.'),
};
